/** examples/resumable-migration: the guide's scripts and its workflow, run like on GitHub, from PostgreSQL into D1. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { parse } from 'yaml'
import type { Answer } from '../setup/servers.ts'
import { eventSchema } from './event-schema.ts'
import { d1Account, type D1Account, type D1Database } from '../support/servers/d1-account.ts'

const root = path.join(import.meta.dirname, '..', '..')
const example = path.join(root, 'examples', 'resumable-migration')
const guide = readFileSync(path.join(root, 'docs/guides/resumable-migration.md'), 'utf8')
const ROWS = 2500

type Step = { readonly id?: string; readonly run?: string; readonly env?: Readonly<Record<string, string>> }
type Job = { readonly if?: string; readonly needs?: string; readonly steps: readonly Step[] }
type Workflow = { readonly env: Readonly<Record<string, unknown>>; readonly jobs: Readonly<Record<string, Job>> }

const workflow = parse(readFileSync(path.join(example, '.github', 'workflows', 'migrate.yml'), 'utf8')) as Workflow

let folder = ''
let missing = ''
let source = ''
let account: D1Account | null = null
let database: D1Database | null = null

async function ask(name: 'postgresql' | 'd1'): Promise<string> {
  const answer = (await (await fetch(`${inject('serverBroker')}/${name}`)).json()) as Answer
  if ('url' in answer) return answer.url
  missing = answer.missing
  return ''
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

async function sql(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end()
  }
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-test-example-'))
  const [postgres, d1] = [await ask('postgresql'), await ask('d1')]
  if (missing !== '') return
  await sql(postgres, 'DROP DATABASE IF EXISTS example_tracks')
  await sql(postgres, 'CREATE DATABASE example_tracks')
  const url = new URL(postgres)
  url.pathname = '/example_tracks'
  source = url.href
  await sql(
    source,
    `CREATE TABLE coordinate_speed_new (id bigint PRIMARY KEY, recorded_at timestamptz, speed double precision, note text);
     INSERT INTO coordinate_speed_new SELECT n * 3, '2024-01-01'::timestamptz + n * interval '1 s', n / 7.0, 'row ' || n FROM generate_series(1, ${ROWS}) n;
     CREATE TABLE camera_locations (id integer PRIMARY KEY, name text NOT NULL);
     INSERT INTO camera_locations SELECT n, 'camera ' || n FROM generate_series(1, 40) n;
     ANALYZE`,
  )
  account = d1Account(d1)
  database = await account.database('tracks-edge')
})
afterAll(async () => {
  await account?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

function needed(context: TestContext): { readonly account: D1Account; readonly database: D1Database } {
  if (account === null || database === null) return context.skip(missing)
  return { account, database }
}

type Result = { readonly code: number | null; readonly text: string }

/** Runs a program with the guide's variables. This process serves D1, so a synchronous call would block it. */
function run(command: string, words: readonly string[], env: Readonly<Record<string, string>>): Promise<Result> {
  const context: NodeJS.ProcessEnv = { ...process.env, ...account?.environment, DATABASE_URL: source, ...env }
  // npm sets these for the tests; the script must not see them.
  const ours = ['npm_command', 'npm_lifecycle_event', 'SLUICE_PROGRAM']
  for (const name of [...ours, 'CI', 'FORCE_COLOR', 'NO_COLOR', 'SLUICE_DATABASE_URL', 'GITHUB_ACTIONS']) {
    if (env[name] === undefined) delete context[name]
  }
  context['CLOUDFLARE_ACCOUNT_ID'] = account?.id
  context['D1_DATABASE_ID'] = database?.id
  const child = spawn(command, words, { cwd: example, env: context, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  const take = (piece: Buffer): void => void (text += piece.toString())
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, text })))
}

/** Runs the step `migrate` of a job; returns its output for the next job, too. */
async function job(name: string, env: Readonly<Record<string, string>>): Promise<Result & { readonly output: string }> {
  const step = workflow.jobs[name]?.steps.find(({ id }) => id === 'migrate')
  if (step?.run === undefined) throw new Error(`job ${name} has no step migrate`)
  const output = path.join(folder, `${name}.output`)
  writeFileSync(output, '')
  const fixed = Object.fromEntries(
    Object.entries({ ...workflow.env, ...step.env }).filter(([, value]) => !String(value).includes('${{')),
  )
  const variables = { ...fixed, GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: output, ...env } as Record<string, string>
  const result = await run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run], variables)
  return { ...result, output: readFileSync(output, 'utf8') }
}

describe('the workflow', () => {
  it('chains its jobs: a stopped copy is no failure, and the next job continues it', async (context) => {
    const { database: target } = needed(context)
    expect(workflow.jobs['migrate-part-2']).toMatchObject({
      needs: 'migrate-part-1',
      if: "needs.migrate-part-1.outputs.finished == 'false'",
    })
    const env = { CHECKPOINT_SIZE: '500' }
    const first = await job('migrate-part-1', { ...env, MAX_RUNTIME: '1ms', RESUME_MODE: 'true' })
    expect(first).toMatchObject({ code: 0, output: 'finished=false\n' })
    expect(first.text).toContain('exit     75')
    const second = await job('migrate-part-2', env)
    expect(second.text).toMatch(/proved {3}(\d) of \1 chunks: count and checksum of the rows that were read equal\n/)
    expect(second).toMatchObject({ code: 0 })
    expect(await target.sql('SELECT count(*), max(id) FROM coordinate_speed_new')).toEqual([[ROWS, ROWS * 3]])
    const again = await job('migrate-part-1', { ...env, RESUME_MODE: 'true' })
    expect(again).toMatchObject({ code: 0, output: 'finished=true\n' })
    expect(again.text).toMatch(/(\d) of \1 chunks \(2,500 rows\) are proved already\n/)
  })
  it('fails if the copy fails', async (context) => {
    needed(context)
    const wrong = await job('migrate-part-1', { TABLE_NAME: 'nowhere', RESUME_MODE: 'true' })
    expect(wrong).toMatchObject({ code: 2, output: 'finished=true\n' })
    expect(wrong.text).toContain('::error title=copy%3A NO_SUCH_TABLE::')
  })
})

describe('the scripts', () => {
  const scripts = (
    JSON.parse(readFileSync(path.join(example, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  ).scripts
  it('have the names of the guide', () => {
    expect(Object.keys(scripts)).toEqual(['migrate:resume', 'migrate:resume:camera', 'migrate:resume:all'])
  })
  it('copy a table again with RESUME_MODE=false, over existing rows', async (context) => {
    const { database: target } = needed(context)
    await target.sql("UPDATE coordinate_speed_new SET note = 'spoilt' WHERE id = 3")
    const { code, text } = await run('bash', ['-c', scripts['migrate:resume'] ?? ''], { RESUME_MODE: 'false' })
    expect(text).toContain('rows in the target stay there until rows with equal keys overwrite them')
    expect(text).toContain('2,500 rows, 1 chunk of 50,000 by id (3 to 7500)')
    expect(text).toMatch(/ok {7}\[1\/1\] 100\.0 % {2}chunk 1 \(id 3 to 7500\): 2,500 rows in /)
    expect(text).not.toContain(new URL(source).password)
    expect(code).toBe(0)
    expect(await target.sql('SELECT note FROM coordinate_speed_new WHERE id = 3')).toEqual([['row 1']])
  })
  it('copy both tables, and resume the restarted one', async (context) => {
    const { database: target } = needed(context)
    const { code, text } = await run('bash', ['-c', scripts['migrate:resume:all'] ?? ''], {})
    expect(text).toContain('coordinate_speed_new  1 of 1 chunk (2,500 rows) is proved already\n')
    expect(text).toContain('2 ok of 2')
    expect(code).toBe(0)
    expect(await target.sql('SELECT count(*) FROM camera_locations')).toEqual([[40]])
  })
  it('print commands that can be pasted, without arguments of the script', async (context) => {
    const { database: target } = needed(context)
    await sql(
      source,
      `CREATE TABLE odd_speeds (id bigint PRIMARY KEY, note text);
       INSERT INTO odd_speeds SELECT n, CASE WHEN n > 1 THEN 'x' END FROM generate_series(1, 5) n`,
    )
    await target.sql('CREATE TABLE odd_speeds (id integer PRIMARY KEY, note text NOT NULL)')
    const { code, text } = await run('bash', ['-c', scripts['migrate:resume'] ?? ''], { TABLE_NAME: 'odd_speeds' })
    expect({ code, text }).toMatchObject({ code: 1 })
    const [, next = ''] = /^.* next\s+(\S.*)$/m.exec(text) ?? []
    expect(next).toContain('quarantine retry')
    await sql(source, `UPDATE odd_speeds SET note = 'y' WHERE id = 1`)
    const pasted = await run('bash', ['-c', next], {})
    expect(pasted).toMatchObject({ code: 0 })
    expect(await target.sql('SELECT count(*) FROM odd_speeds')).toEqual([[5]])
  })
  it('print JSON lines that fit the schema, also for hostile names', async (context) => {
    needed(context)
    const name = `"; DROP TABLE x; --'\u{1f600}`
    await sql(
      source,
      `CREATE TABLE ${quoted(name)} (${quoted('i\nd')} int PRIMARY KEY, "a,b" text); INSERT INTO ${quoted(name)} VALUES (1, 'x')`,
    )
    const flags = ['--to', `sqlite:///${path.join(folder, 'hostile.db')}`, '--table', name, '--json']
    const { code, text } = await run('node', ['migrate-with-resume.js', ...flags], {})
    const events = text
      .trimEnd()
      .split('\n')
      .map((line) => eventSchema.parse(JSON.parse(line)))
    const types = [
      'run.started',
      'log',
      'plan.ready',
      'copy.started',
      'chunk.started',
      'chunk.done',
      'table.finished',
      'run.finished',
    ]
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set([...types, 'chunk.progress']))
    expect(events.at(-1)).toMatchObject({ exitCode: 0, proof: 'chunk', totals: { read: '1', written: '1' } })
    expect(code).toBe(0)
  })
  it("leave a ledger that answers the guide's questions", async (context) => {
    const { database: target } = needed(context)
    const queries = [...guide.matchAll(/^```sql\n([\s\S]*?)^```/gm)].map(([, text = '']) => text)
    expect(queries).toHaveLength(4)
    const answers: unknown[] = []
    for (const query of queries) answers.push(await target.sql(query))
    expect(answers).toEqual([[['completed', 1, ROWS]], [], [[100]], []])
  })
})
