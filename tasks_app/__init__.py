"""A file's way through an action: intake, dispatch, execution, assembly, and what people see."""
