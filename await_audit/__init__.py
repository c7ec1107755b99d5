"""Find and mend a superfluous `await` in anyone's code: the audit, the fix and the drift check."""
