"""Many runs at a time: what the queue may know of them."""
