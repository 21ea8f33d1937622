/** Examples of the help run on a copy of the demo lake, except those that need a server or do not end. */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EXAMPLES } from '../../src/app/operations/examples.ts'

const root = path.join(import.meta.dirname, '..', '..')
const bin = path.join(root, 'dist', 'cli', 'bin.js')
const run = promisify(execFile)
let folder = ''

/** Examples that cannot run here, with the reason; all others must run. */
const CANNOT: readonly (readonly [why: string, lines: RegExp])[] = [
  ['it needs a server', /postgresql:|cassandra:|s3:/],
  [
    'it needs a run or a stream of the reader',
    /^(?:attach|ctl|quarantine|report|retry-quarantine|lifecycle|schedule add)\b|--to sqlite:\/\/\/shop\.db/,
  ],
  ['it needs a database of the reader', /sqlite:\/\/\/app\.db/],
  ['it goes on until it is stopped', /--watch/],
  ['it measures for a minute', /^performance-compare|^demo/],
  ['it is for a shell', / \| |>>/],
  // The broken tables of the demo lake count as failed.
  ['the demo lake has tables that no import takes', /^batch-import/],
]
const why = (line: string): string | null => CANNOT.find(([, lines]) => lines.test(line))?.[0] ?? null
const lines = Object.values(EXAMPLES).flat()
const alone = lines.filter((line) => why(line) === null && !line.startsWith('rollback'))

const call = async (line: string): Promise<{ readonly code: number; readonly text: string }> =>
  run('bash', ['-c', `'${process.execPath}' '${bin}' ${line}`], {
    cwd: folder,
    env: { ...process.env, CI: '1', XDG_STATE_HOME: path.join(folder, 'state') },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      text: error.stdout + error.stderr,
    }),
  )

describe('an example on the demo lake', () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'sluice-examples-'))
    cpSync(path.join(root, 'fixtures', 'lake'), path.join(folder, 'lake'), { recursive: true })
    writeFileSync(path.join(folder, 'lake', 'sluice.yaml'), 'theme: light\n')
    await call('batch-import ./lake --recursive --database-url sqlite:///lake.db')
  }, 60_000)
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each(alone)('%s', { timeout: 60_000 }, async (line) => {
    const { code, text } = await call(line)
    expect(code, text).toBe(0)
  })

  it('names existing tables of the lake', () => {
    const named = lines
      .filter((line) => /lake\.db|\.\/lake/.test(line))
      .flatMap((line) => line.match(/\b[a-z]+\/[a-z]+\b(?=[ "]|$)/g) ?? [])
    const ours = named.filter((name) => !/^(?:lake|orders|customers)/.test(name))
    expect([...new Set(ours)].toSorted()).toEqual(['crm/customers', 'events/clicks', 'sales/orders'])
  })
})
