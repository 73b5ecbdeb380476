"""The retention environment: state, actions, transitions and reward, in numpy.

Everything else of the area builds on it; it imports none of that.
"""
