/** Compiled code, seen from this module: it lies one folder below its root, in `build` as in the bundles of `dist`. */
const COMPILED = import.meta.url.endsWith('.ts') ? '../../dist/' : '../'

/**
 * The compiled entry of a thread or child process. Node 20 runs no TypeScript in them, even if this module runs from
 * source.
 * @param name path below `src` without extension, as `app/share/slot-main`
 */
export function compiledEntry(name: string): URL {
  return new URL(`${COMPILED}${name}.js`, import.meta.url)
}
