/**
 * Programs that tests and benchmarks start are JavaScript, and import the build: a renamed export, method or option
 * fails here, not first in the suite that starts them.
 */
import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './source-files.ts'

/** Types of parameters are not declared in JavaScript, and `?.` is not written where a value is known to exist. */
const OPTIONS = {
  allowJs: true,
  checkJs: true,
  strict: false,
  exactOptionalPropertyTypes: false,
  noPropertyAccessFromIndexSignature: false,
  rewriteRelativeImportExtensions: false,
  listFiles: true,
  pretty: false,
  typeRoots: [path.join(ROOT, 'node_modules/@types')],
}

/** `test/tui` has programs that only draw, and `test/support` also servers: neither imports the build. */
const INCLUDE = ['bench', 'fault', 'real', 'support'].map((name) => `test/${name}/*.mjs`)

/** Imports of the build and of the source, as those of the source: the compiled modules have no types. */
function ofSource(text: string): string {
  return text.replaceAll(/(?:\.\.\/)+(?:build|src)\/([\w./-]+)\.(?:js|ts)(?=['"])/g, (_, name: string) => {
    const file = path.join(ROOT, 'src', name)
    return `${file}.${existsSync(`${file}.tsx`) ? 'tsx' : 'ts'}`
  })
}

test('programs that tests start use exports, methods and options that exist', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-children-'))
  try {
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'))
    for (const below of readdirSync(path.join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })) {
      const name = path.join('test', below)
      if (!/\.(?:d\.mts|mjs)$/.test(name)) continue
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
      writeFileSync(path.join(folder, name), ofSource(readFileSync(path.join(ROOT, name), 'utf8')))
    }
    const config = path.join(folder, 'tsconfig.json')
    const extended = path.join(ROOT, 'tsconfig.json')
    writeFileSync(config, JSON.stringify({ extends: extended, compilerOptions: OPTIONS, include: INCLUDE }))
    const output = await new Promise<string>((resolve) => {
      const words = [path.join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config]
      execFile(process.execPath, words, { cwd: folder, maxBuffer: 64 * 2 ** 20 }, (_, stdout) => resolve(stdout))
    })
    // The files were read, and imports were found in the source.
    expect(output).toMatch(/^\S+\/test\/fault\/copy-child\.mjs$/m)
    expect(output).toMatch(/^\S+\/src\/app\/run\.ts$/m)
    // Errors of the source have no meaning without `strict`.
    expect(output.split('\n').filter((line) => /^test\/\S+ error /.test(line))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
