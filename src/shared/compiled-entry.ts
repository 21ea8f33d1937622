/**
 * The compiled entry of a thread or child process: Node 20 runs no TypeScript in them. This module is compiled too, and
 * is one folder below the root of the compiled code (`build`, `dist`).
 * @param name path below `src` without extension, as `app/share/slot-main`
 */
export function compiledEntry(name: string): URL {
  return new URL(`../${name}.js`, import.meta.url)
}
