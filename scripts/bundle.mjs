/**
 * Joins the compiled modules of build/ to the program in dist/. A start of the program loads a third of the files that the
 * modules would be, which saves 0.3 s of 0.9 (`npm run bench -- start-up`). Packages of node_modules stay outside.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const build = path.join(root, 'build')
const dist = path.join(root, 'dist')
const noteFile = path.join(dist, '.bundled')

/** What runs as a process or thread of its own; `cli/launch` is imported by programs of users. */
const ENTRY = /-main\.js$|^cli[/\\](?:bin|launch|start)\.js$/

/** @param {string} folder @returns {string[]} files of JavaScript below it, as paths relative to it */
function scriptsOf(folder) {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'))
}

/** Changes when a compiled module is written, comes or goes, or this script changes. @param {string[]} modules */
function stateOf(modules) {
  const times = modules.map((file) => fs.statSync(path.join(build, file)).mtimeMs)
  const newest = times.reduce((a, b) => Math.max(a, b), fs.statSync(fileURLToPath(import.meta.url)).mtimeMs)
  return `${modules.length} modules, newest ${newest}`
}

/** @returns {string | undefined} */
function notedState() {
  try {
    return fs.readFileSync(noteFile, 'utf8')
  } catch {
    return undefined
  }
}

/**
 * Writes dist/ anew if build/ has changed since. The note is removed first and written last: what was cut off is done again.
 * @throws Error if the bundler refuses a module
 */
async function bundle() {
  const modules = scriptsOf(build)
  const state = stateOf(modules)
  if (notedState() === state) return
  fs.rmSync(noteFile, { force: true })
  // Loaded here: most starts of a checkout have nothing to do.
  const { rolldown } = await import('rolldown')
  const joined = await rolldown({
    input: Object.fromEntries(
      modules.filter((file) => ENTRY.test(file)).map((file) => [file.slice(0, -3), path.join(build, file)]),
    ),
    platform: 'node',
    external: /^[^./]/,
  })
  const { output } = await joined.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    // Two folders below the root, as src/shared/ and src/cli/ are: relative addresses in them stay right.
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: { groups: [{ name: 'base', test: /[/\\]build[/\\]shared[/\\]/ }] },
  })
  await joined.close()
  const written = new Set(output.map(({ fileName }) => path.normalize(fileName)))
  for (const file of scriptsOf(dist)) if (!written.has(file)) fs.rmSync(path.join(dist, file))
  fs.writeFileSync(noteFile, state)
}

await bundle()
