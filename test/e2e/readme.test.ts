/**
 * Every command in the README, the first steps and the tour that needs only a fresh clone works as a reader would type
 * it.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
/** Commands that need servers, buckets or runs of the reader, or that run until they are stopped. */
const ELSEWHERE = /postgresql:|s3:|cassandra:|--properties|SLUICE_DATABASE_URL|--watch|\$QUEUE|\$URL|\. attach/

test.for([
  ['README.md', 4],
  ['docs/start/first-steps.md', 1],
  ['docs/guides/tour.md', 20],
] as const)('the commands of %s', { timeout: 600_000 }, async ([page, least], context) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-readme-'))
  context.onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['package.json', 'index.js', 'dist', 'node_modules', 'fixtures'])
    symlinkSync(join(ROOT, name), join(folder, name))
  const blocks = readFileSync(join(ROOT, page), 'utf8').matchAll(/^```(?:bash|sh)\n(.*?)^```/gms)
  const lines = [...blocks].flatMap(([, block = '']) => block.split('\n'))
  const mine = lines.filter((line) => line.startsWith('node .') && !ELSEWHERE.test(line))
  expect(mine.length).toBeGreaterThan(least)
  const run = promisify(execFile)
  const failed: string[] = []
  for (const line of mine) {
    const env = { ...process.env, CI: 'true', DB_URL: 'sqlite:///lake.db' }
    await run('bash', ['-c', line], { cwd: folder, env }).catch((error: unknown) => {
      const { code, stderr } = error as { readonly code?: unknown; readonly stderr?: unknown }
      failed.push(`${line}: exit ${String(code)}\n${String(stderr)}`)
    })
  }
  expect(failed).toEqual([])
})
