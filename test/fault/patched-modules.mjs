/** Replaces constants, such as a lease duration, in compiled modules that a test program loads. */
import { readFileSync } from 'node:fs'
import { register } from 'node:module'

const build = new URL('../../build/', import.meta.url)

/**
 * Call it before any of them is loaded.
 * @param {{file: string, from: string | RegExp, to: string}[]} patches `file` below build/
 * @throws Error if a file contains nothing that a patch replaces: otherwise the test would run without the patch
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

/** Another host name means another machine. @param {string} host */
export function onHost(host) {
  return { file: 'shared/owner.js', from: 'machine: readMachine()', to: `machine: ${JSON.stringify(host)}` }
}

/** Sets the lease of copies to so many ms. @param {number} ms */
export function leaseOfCopies(ms) {
  return { file: 'engine/copy/ledger/owner.js', from: /LEASE_MS = [0-9_]+/, to: `LEASE_MS = ${ms}` }
}
