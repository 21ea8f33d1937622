import { readFileSync } from 'node:fs'

/** Version in package.json, which is two folders above this module and above its bundle. */
export function toolVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { readonly version?: unknown }
  return typeof version === 'string' ? version : '0.0.0'
}
