"""Find and mend a wrong `await` in anyone's code: the audit, the fix and the drift check."""
