/** The `src` folder of the project: the innermost one, since a project may be installed below another. */
const SOURCES = /\/src(?=\/)(?!.*\/src\/)/

/**
 * The compiled entry next to a module, for threads and child processes. Node 20 runs no TypeScript in them, even if
 * the module itself runs from source; then the entry is in the same place below `dist`.
 * @param name without extension
 * @param module URL of the module that starts it: `import.meta.url`
 */
export function compiledEntry(name: string, module: string): URL {
  const { href } = new URL(`./${name}.js`, module)
  return new URL(module.endsWith('.ts') ? href.replace(SOURCES, '/dist') : href)
}
