"""The figures, a module each: draw(choices, say) makes one, `say` gives its labels in the language that was chosen."""

# In the order of the page.
FIGURES = ("lemma", "jsd", "chi2", "losses", "boundaries", "discriminators", "plane", "flow", "dirac")
