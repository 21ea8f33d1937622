/**
 * Builds build/ and dist/ from src/ before any test, because tests start the compiled program, and Node 20 cannot run
 * TypeScript in threads.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')

export default function compile(): void {
  // Every project of a run calls this, each from its own copy of this module.
  if (process.env['SLUICE_TEST_COMPILED']) return
  process.env['SLUICE_TEST_COMPILED'] = 'yes'
  const ran = [['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], ['scripts/bundle.mjs']].map((words) =>
    spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' }),
  )
  if (ran.every(({ status }) => status === 0)) return
  const complaint = `src/ does not compile:\n${ran.map(({ stdout, stderr }) => stdout + stderr).join('')}`
  if (process.env['CI']) throw new Error(complaint)
  // Outside CI, a module that does not compile must not block the tests of others; tsc has written the rest.
  process.stderr.write(`${complaint}\n`)
}
