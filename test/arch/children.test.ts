/**
 * Programs that tests and benchmarks start are JavaScript, and import the build: a renamed export or method fails here,
 * not first in the suite that starts them.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './source-files.ts'

/** No such export; no such file; no such property. */
const MISSING = /^\S*test\/(?:bench|fault|real)\/\S+\.mjs\S* error TS(?:2305|2307|2339|2551|2724):/

test('programs that tests start use exports and methods that exist', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-children-'))
  const config = path.join(folder, 'tsconfig.json')
  const options = {
    allowJs: true,
    checkJs: true,
    noImplicitAny: false,
    useUnknownInCatchVariables: false,
    typeRoots: [path.join(ROOT, 'node_modules/@types')],
    // Imports of the build are checked against the sources.
    rootDirs: [path.join(ROOT, 'src'), path.join(ROOT, 'build')],
  }
  const include = ['bench', 'fault', 'real'].map((name) => path.join(ROOT, 'test', name, '*.mjs'))
  writeFileSync(
    config,
    JSON.stringify({ extends: path.join(ROOT, 'tsconfig.json'), compilerOptions: options, include }),
  )
  try {
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, [path.join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config], {}, (_, stdout) =>
        resolve(stdout),
      )
    })
    // Types of parameters are not declared in JavaScript, so other errors are expected, and show that files were read.
    expect(output).toMatch(/test\/fault\/\S+\.mjs/)
    expect(output.split('\n').filter((line) => MISSING.test(line))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
