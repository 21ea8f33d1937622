/** Root of the compiled code, relative to this module; a compiled module is one folder below it (`build`, `dist`). */
const COMPILED = import.meta.url.endsWith('.ts') ? '../../dist/' : '../'

/**
 * The compiled entry of a thread or child process. Node 20 runs no TypeScript in them, even if this module runs from
 * source.
 * @param name path below `src` without extension, as `app/share/slot-main`
 */
export function compiledEntry(name: string): URL {
  return new URL(`${COMPILED}${name}.js`, import.meta.url)
}
