/** Compiled modules that a program of a test loads with other constants in them, such as a short lease. */
import { readFileSync } from 'node:fs'
import { register } from 'node:module'

const build = new URL('../../build/', import.meta.url)

/**
 * Before any of them is loaded.
 * @param {{file: string, from: string | RegExp, to: string}[]} patches `file` below build/
 * @throws Error where a file has nothing that a patch replaces: a test would go on with a patch that does nothing
 */
export function patchModules(patches) {
  const sources = {}
  for (const { file, from, to } of patches) {
    const { href } = new URL(file, build)
    const before = sources[href] ?? readFileSync(new URL(href), 'utf8')
    sources[href] = before.replace(from, to)
    if (sources[href] === before) throw new Error(`build/${file} has no ${from}`)
  }
  const hook = `const sources = ${JSON.stringify(sources)}
export async function load(url, context, next) {
  const loaded = await next(url, context)
  return Object.hasOwn(sources, url) ? { ...loaded, source: sources[url] } : loaded
}`
  register(`data:text/javascript,${encodeURIComponent(hook)}`)
}

/** Another host is another machine. @param {string} host */
export function onHost(host) {
  return { file: 'shared/owner.js', from: 'machine: readMachine()', to: `machine: ${JSON.stringify(host)}` }
}

/** A lease of copies of so many ms. @param {number} ms */
export function leaseOfCopies(ms) {
  return { file: 'engine/copy/ledger/owner.js', from: /LEASE_MS = [0-9_]+/, to: `LEASE_MS = ${ms}` }
}
