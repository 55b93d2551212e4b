/** What the dialogs of this page share. */
export const SLUG = '[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?'
export const SLUG_HINT = 'Lower-case letters, digits and dashes; it stands in addresses.'

/** `Northwind & Söhne` -> `northwind-sohne`. */
export const slugOf = (name: string) =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '')

/** What is read again after a change of tenants: the list, and what one may enter. */
export const STALE = ['tenants', 'me']
