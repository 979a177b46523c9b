"""How far a cluster goes: unit costs, measured, and a simulation that puts them together."""
