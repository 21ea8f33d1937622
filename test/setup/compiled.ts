/**
 * Tests load modules of src/ from build/, and Node loads them as it does in the program. Otherwise vitest would pass
 * each module of each test file through its own server, which takes a quarter of a run.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(import.meta.dirname, '../..')
const SRC = path.join(root, 'src') + path.sep
const BUILD = path.join(root, 'build') + path.sep

/** A plugin of Vite that finds the compiled module of a module of src/. `compile.ts` compiles them before any test. */
export const compiledModules = {
  name: 'compiled-modules',
  enforce: 'pre' as const,
  resolveId(source: string, importer = ''): string | null {
    const file = source.startsWith('file:') ? fileURLToPath(source) : path.resolve(path.dirname(importer), source)
    // A missing module is reported by the name that the test has for it.
    if (!file.startsWith(SRC) || !/\.tsx?$/.test(file) || !existsSync(file)) return null
    return BUILD + file.slice(SRC.length).replace(/\.tsx?$/, '.js')
  },
}

/** Modules that Node loads itself. */
export const LOADED_BY_NODE = [/\/build\/.*\.js$/]
