// Runs before the first paint, so that the page never flashes in the wrong theme. External: the CSP allows no inline script.
;(() => {
  try {
    const root = document.documentElement
    const light = matchMedia('(prefers-color-scheme: light)').matches
    root.dataset.theme = localStorage.getItem('theme') || (light ? 'light' : 'dark')
    root.dataset.density = localStorage.getItem('density') || 'default'
  } catch {
    // No storage: the defaults of index.html stay.
  }
})()
