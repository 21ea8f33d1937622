/** Before any test: build/ and dist/ as src/ stands, because tests start the compiled program and Node 20 runs no TypeScript in threads. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')

export default function compile(): void {
  // Every project of a run asks for it, each from a copy of this module.
  if (process.env['SLUICE_TEST_COMPILED']) return
  process.env['SLUICE_TEST_COMPILED'] = 'yes'
  const ran = [['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], ['scripts/bundle.mjs']].map((words) =>
    spawnSync(process.execPath, words, { cwd: root, encoding: 'utf8' }),
  )
  if (ran.every(({ status }) => status === 0)) return
  const complaint = `src/ does not compile:\n${ran.map(({ stdout, stderr }) => stdout + stderr).join('')}`
  if (process.env['CI']) throw new Error(complaint)
  // At a desk, a half-written module must not keep the tests of the others from running; tsc has written what it could.
  process.stderr.write(`${complaint}\n`)
}
