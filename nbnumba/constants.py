"""Constants, with the values of nanoBragg.c."""

R_E_SQUARED = 7.94079248018965e-30  # square of the classical electron radius [m^2]
AVOGADRO = 6.02214179e23  # 1/mol
ROUND_AMPLITUDE = 0.723601254558268  # square root of the volume ratio of a sphere to its cube, as C has it
GAUSS_WIDTH = 0.63
TOPHAT_RADIUS_SQUARED = 0.3969
DEGREES_PER_RADIAN = 180.0 * 0.31830988618379067154  # 180 * M_1_PI as C has it: math.degrees differs in the last bit
