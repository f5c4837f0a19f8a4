"""Which language is a surname from? Letter by letter, in ten lines."""

from sklearn.model_selection import train_test_split

from grulearn import GRUClassifier
from grulearn.datasets import load_surnames

X, y = load_surnames(return_X_y=True)  # 5,338 names of 12 languages
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
model = GRUClassifier(64, tokens="char", bidirectional=True, pooling="mean", random_state=0)
model.fit(X_train, y_train)
print(f"accuracy on names it has not seen: {model.score(X_test, y_test):.2f}")
for name, p in zip(
    names := ["Kowalczyk", "Mac Cárthaigh", "Lindqvist"], model.predict_proba(names), strict=True
):
    print(f"{name}: {model.classes_[p.argmax()]} ({p.max():.0%})")
