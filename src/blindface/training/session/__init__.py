"""How any run is kept: resumed, checked, recorded, stopped; it knows no recipe's networks or losses."""
