"""How policies are compared, what is served, and the gates of the learned one."""
