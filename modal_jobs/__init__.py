"""What runs on Modal: images, volumes, functions, deployment.

The outermost room: nothing imports it.
"""
