/** What the UI reads of a lake in a bucket, and cold runs, whose child process must find its own credentials. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { askCold, type ColdRequest } from '../../src/engine/lake/compare/cold.ts'
import { NO_LATENCY } from '../../src/engine/lake/compare/latency.ts'
import { QueryDesk } from '../../src/app/thread/desk.ts'
import type { TableRow } from '../../src/model/lake/answers.ts'
import { importRows } from '../../src/tui/session/operations.ts'
import { stateCatalogFile } from '../../src/cli/flags/catalog-choice.ts'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { parseLakeUrl } from '../../src/model/lake/lake-url.ts'
import { NEVER as NO_INTERRUPT } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { NEVER } from '../tables/shared-tables.ts'

const TABLES = 24
const ODD = 'team 1/100% é?#'

async function run(operation: Parameters<typeof runOperation>[0]): Promise<readonly Event[]> {
  const events: Event[] = []
  await runOperation(operation, {
    interrupt: NO_INTERRUPT,
    clock: systemClock,
    tool: 'test',
    actor: 'test',
    host: 'here',
    commandLine: `sluice ${operation.kind} x`,
    onEvent: (event) => events.push(event),
  })
  return events
}

/** A row without its location. */
function facts({ key, location, ...others }: TableRow): unknown {
  return [typeof key, typeof location, { ...others, tableId: null }]
}

describe.skipIf(!S3_AVAILABLE)(`a bucket in the workbench${S3_MISSING && ` (skipped: ${S3_MISSING})`}`, () => {
  let server: S3Server
  let folder: Folder
  let before: NodeJS.ProcessEnv
  const lake = (): string => join(folder.path, 'lake')
  const catalog = (name: string): string => `sqlite:///${join(folder.path, `${name}.db`)}`
  const importing = (table: string, name: string): Parameters<typeof run>[0] => ({
    kind: 'import',
    table,
    catalog: catalog(name),
    dryRun: false,
    resume: false,
    batchSize: 10_000,
    verbose: false,
    allowRefused: false,
    waitMs: 0,
  })

  beforeAll(async () => {
    server = await startS3()
    folder = temporaryFolder()
    const commits = [[PROTOCOL, METADATA, add('a')], [add('b')], [add('c')]]
    for (let i = 0; i < TABLES; i++)
      writeLog(join(lake(), `t${String(i).padStart(2, '0')}`), commits.slice(0, 1 + (i % 3)))
    writeLog(join(lake(), ODD), commits)
    writeLog(join(lake(), 'gap'), [commits[0] ?? [], [], commits[2] ?? []])
    server.putFolder(lake(), 'lake')
    server.remove('lake/gap/_delta_log/00000000000000000001.json')
  })
  afterAll(async () => {
    folder[Symbol.dispose]()
    await server[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    before = process.env
    process.env = { ...before, ...server.env }
    server.delay(0)
    server.reset()
  })
  afterEach(() => {
    process.env = before
  })

  test('the list has the rows of the same lake in a folder, and reads several tables at a time', async () => {
    server.delay(20)
    const desk = new QueryDesk({ lake: server.url('lake'), catalog: catalog('none') })
    const rows = await desk.tables()
    expect(server.mostAtOnce()).toBeGreaterThan(4)
    expect(server.mostAtOnce()).toBeLessThanOrEqual(32)
    const names = readdirSync(lake()).filter((name) => name.startsWith('t')).length
    expect(rows).toHaveLength(names + 1)
    const local = await new QueryDesk({ lake: lake(), catalog: catalog('none') }).tables()
    expect(rows.filter(({ name }) => name !== 'gap').map(facts)).toEqual(
      local.filter(({ name }) => name !== 'gap').map(facts),
    )
    expect(rows.find(({ name }) => name === 'gap')?.error?.code).toBe('LOG_GAP')
    expect(rows.find(({ name }) => name === ODD)?.key).toBe(server.url('lake/team%201/100%25%20%C3%A9%3F%23'))
  })

  test("a lake that is one table has the table's name", async () => {
    const url = server.url('lake/team 1/100% é?#')
    const rows = await new QueryDesk({ lake: url, catalog: catalog('none') }).tables()
    expect(rows.map(({ name, key }) => [name, key])).toEqual([
      ['100% é?#', server.url('lake/team%201/100%25%20%C3%A9%3F%23')],
    ])
  })

  test('every tab works by the key of the list, before and after the import from the list', async () => {
    const desk = new QueryDesk({ lake: server.url('lake'), catalog: catalog('tabs') })
    const odd = async (): Promise<TableRow> => {
      const row = (await desk.tables()).find(({ name }) => name === ODD)
      if (row === undefined) throw new Error(`${ODD} is not in the list`)
      return row
    }
    const answers = async ({ key }: TableRow): Promise<unknown> => {
      const { commits, checkpoints } = await desk.overview(key)
      const files = await desk.files(key, { asOf: {}, where: '', sort: 'path', descending: false, from: 0, count: 10 })
      const history = await desk.history(key, 0, 10)
      return [
        commits,
        checkpoints,
        await desk.schema(key),
        await desk.features(key),
        await desk.partitions(key, {}, 0, 10),
        files.rows.map(({ path, size }) => [path, size]),
        history.rows.map(({ version, adds, time }) => [version, adds, time]),
        (await desk.commit(key, 2)).added,
      ]
    }
    const fromLog = await answers(await odd())
    const place = { lake: server.url('lake'), catalog: catalog('tabs') }
    const job = importRows([await odd()], place, false)
    expect(job?.commandLine).toContain(`sluice import '${(await odd()).location}'`)
    if (job !== null) await run(job.operation)
    expect((await odd()).catalog).toEqual({ state: 'current' })
    expect(await answers(await odd())).toEqual(fromLog)
    expect((await desk.overview((await odd()).key)).lastRuns).toMatchObject([{ command: 'import', table: ODD }])
    // The same location in another spelling is the same table.
    await run(importing(`s3a://${server.bucket}/lake/${ODD}/`, 'tabs'))
    const runs = await desk.runs(10)
    expect(runs.map(({ table }) => table)).toEqual([ODD, ODD])
  })

  test('the command of several marked tables names each by a valid URL', async () => {
    const rows = await new QueryDesk({ lake: server.url('lake'), catalog: catalog('none') }).tables()
    const marked = rows.filter(({ name }) => [ODD, 't01'].includes(name))
    const job = importRows(marked, { lake: server.url('lake'), catalog: catalog('none') }, false)
    const named = (job?.commandLine ?? '')
      .split(' && ')
      .map((line) => /^sluice import (?:'([^']+)'|(\S+)) /.exec(line)?.slice(1).join(''))
    expect(named).toEqual(marked.map(({ location }) => location))
  })

  test('one lake has one catalog, however it is spelled', () => {
    const files = ['s3://b/x y', 's3://b/x y/', 's3a://b/x y'].map((url) => stateCatalogFile(url, { HOME: '/' }))
    expect(new Set(files).size).toBe(1)
    expect(parseLakeUrl('s3a://b/x y')).toMatchObject({ root: 's3://b/x%20y' })
  })

  test('a cold comparison works, and its child process gets no credentials as arguments', async () => {
    const table = server.url('lake/team 1/100% é?#')
    await run(importing(table, 'cold'))
    // The event is sent before the child has its arguments.
    const children: ChildProcess[] = []
    const watch = (message: unknown): void => void children.push((message as { process: ChildProcess }).process)
    subscribe('child_process', watch)
    try {
      const events = await run({
        kind: 'performance-compare',
        table,
        catalog: catalog('cold'),
        runs: 1,
        cold: true,
        questions: ['latest-version', 'active-files'],
      })
      const questions = events.filter((event) => event.type === 'question')
      expect(questions.map(({ same, files, sql }) => [same, files.coldMs !== null, sql.coldMs !== null])).toEqual([
        [true, true, true],
        [true, true, true],
      ])
      expect(Number(questions[1]?.files.readBytes)).toBeGreaterThan(0)
    } finally {
      unsubscribe('child_process', watch)
    }
    const asked: ColdRequest = {
      side: 'files',
      question: 'latest-version',
      plan: {
        tableId: 'x',
        location: table,
        version: 2,
        logVersion: 2,
        catalogVersion: 2,
        from: 0,
        partition: null,
        predicate: null,
        origin: null,
        oldVersion: 1,
        commits: 1,
        changesFrom: 0,
      },
      path: table,
      catalogUrl: catalog('cold'),
      latency: NO_LATENCY,
      countBytes: false,
    }
    expect((await askCold(asked, NEVER)).rows).toBe(1)
    const words = children.map(({ spawnargs }) => spawnargs.slice(1))
    expect(words.length).toBeGreaterThanOrEqual(6)
    expect(words.every((own) => own.length === 1 && own[0]?.endsWith('cold-main.js'))).toBe(true)
    // The environment is the only source: without it the child has no credentials.
    process.env = { ...before, HOME: folder.path, AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'us-east-1' }
    await expect(askCold(asked, NEVER)).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  })
})
