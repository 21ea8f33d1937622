/** Address of a database, so that two URLs of one place compare equal. */

/** Ports that a URL need not name, by its protocol. */
const USUAL: Readonly<Record<string, string>> = {
  'postgresql:': '5432',
  'postgres:': '5432',
  'mysql:': '3306',
  'mariadb:': '3306',
}

/**
 * URL without user, password and options, with its port; a text that is not a URL is returned unchanged. All names of
 * the local host are equal.
 */
export function addressOf(label: string): string {
  if (!URL.canParse(label)) return label
  const { protocol, hostname, port, pathname, searchParams } = new URL(label)
  const host = /^(?:127\.0\.0\.1|\[::1\])$/.test(hostname) ? 'localhost' : hostname.toLowerCase()
  const socket = host === '' && searchParams.has('host') ? `?host=${searchParams.get('host')}` : ''
  const at = host === '' ? '' : `${host}:${port === '' ? (USUAL[protocol] ?? '') : port}`
  const system = protocol === 'postgres:' ? 'postgresql:' : protocol === 'mariadb:' ? 'mysql:' : protocol
  return `${system}//${at}${pathname}${socket}`
}
