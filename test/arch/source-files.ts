/** Reads src/ for the tests of its architecture, independent of the linter's configuration. */
import fs from 'node:fs'
import path from 'node:path'

export const ROOT = path.resolve(import.meta.dirname, '../..')

export type Import = {
  /** As written in the source: `../delta/replay.ts`, `ink`. */
  readonly specifier: string
  readonly dynamic: boolean
  readonly typeOnly: boolean
}

export type SourceFile = {
  /** Path below src/, with forward slashes: `engine/plan.ts`. */
  readonly name: string
  readonly text: string
  /** The text without comments; strings are kept. */
  readonly code: string
  readonly imports: readonly Import[]
}

/**
 * Replaces comments by blanks. Strings, templates and regular expressions are skipped, so that `'//'` is no comment.
 */
export function withoutComments(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[=(,:[!&|?{};\n]\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g
  return text.replace(token, (found) =>
    found.startsWith('//') || found.startsWith('/*') ? found.replaceAll(/[^\n]/g, ' ') : found,
  )
}

/** Static, type-only, dynamic imports and re-exports of a module. */
export function importsOf(code: string): Import[] {
  const found: Import[] = []
  for (const match of code.matchAll(
    /^\s*(?:import|export)\b(\s+type\b)?[^'"();=]*?(?:\bfrom\s*)?['"]([^'"\n]+)['"]/gm,
  )) {
    found.push({ specifier: match[2] ?? '', dynamic: false, typeOnly: match[1] !== undefined })
  }
  // `import('x')` is a value when it is awaited or called on, a type in `typeof import('x')` and `import('x').Name`.
  for (const match of code.matchAll(/(\btypeof\s+)?\bimport\(\s*['"`]([^'"`\n]+)['"`]/g)) {
    found.push({ specifier: match[2] ?? '', dynamic: match[1] === undefined, typeOnly: match[1] !== undefined })
  }
  for (const match of code.matchAll(/\brequire(?:\.resolve)?\(\s*['"]([^'"\n]+)['"]/g)) {
    found.push({ specifier: match[1] ?? '', dynamic: true, typeOnly: false })
  }
  return found
}

/** All .ts and .tsx files below src/. */
export function readSources(): SourceFile[] {
  const src = path.join(ROOT, 'src')
  return fs
    .readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .toSorted()
    .map((name) => {
      const text = fs.readFileSync(path.join(src, name), 'utf8')
      const code = withoutComments(text)
      return { name: name.replaceAll(path.sep, '/'), text, code, imports: importsOf(code) }
    })
}

/** `engine` for `engine/plan.ts`; '' for a file directly in src/. */
export function layerOf(name: string): string {
  return name.includes('/') ? name.slice(0, name.indexOf('/')) : ''
}

/** Path of a relative import below src/; undefined for packages. */
export function targetOf(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return path.posix.normalize(path.posix.join(path.posix.dirname(from), specifier))
}
