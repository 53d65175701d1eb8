try {
  const root = document.documentElement;
  root.dataset.theme = localStorage.getItem('talebank.theme') ?? 'auto';
  root.lang = localStorage.getItem('talebank.locale') ?? navigator.language.slice(0, 2);
} catch {
  // Storage is forbidden: the device's own choice holds.
}
