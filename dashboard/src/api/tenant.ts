/**
 * The tenant that this page is about. It stands in the address (`/t/<slug>/…`) and nowhere else: nothing that two tabs
 * share knows it, so two tabs with two tenants never mix.
 */
const IN_PATH = /^\/t\/([a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?)(?=\/|$)/

/** The slug in the address; empty before one is known. */
export const tenantSlug = (pathname = location.pathname) => IN_PATH.exec(pathname)?.[1] ?? ''

export const tenantBase = (slug: string) => `/t/${slug}`

/** A path without its tenant: `/t/acme/alerts` is `/alerts`. */
export const pagePath = (pathname = location.pathname) => pathname.replace(IN_PATH, '') || '/'

/** The same list in another tenant; an object of this one is not there, so its page becomes its list. */
export function sameListIn(slug: string, pathname = location.pathname) {
  const list = pagePath(pathname).split('/')[1] ?? ''
  return `${tenantBase(slug)}/${list}`
}
