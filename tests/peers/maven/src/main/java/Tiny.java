class Tiny {}
