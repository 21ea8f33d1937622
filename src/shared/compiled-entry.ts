/** The `src` folder of the project: the one that is farthest down, since a project may be installed below another. */
const SOURCES = /\/src(?=\/)(?!.*\/src\/)/

/**
 * The compiled entry beside a module, for threads and child processes: Node 20 runs no TypeScript in them, also when
 * the module itself runs from source. Then the entry lies in the same place below `dist`.
 * @param name without ending
 * @param module URL of the module that starts it: `import.meta.url`
 */
export function compiledEntry(name: string, module: string): URL {
  const { href } = new URL(`./${name}.js`, module)
  return new URL(module.endsWith('.ts') ? href.replace(SOURCES, '/dist') : href)
}
