/**
 * Logs that refer to files outside of their table: every command reports this, and does not read these files. The
 * access time of the file system shows whether they were read.
 */
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../e2e/support/program.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder, type Line } from '../support/catalog-kit.ts'

const CANARY = 'what nobody may see'
const LONG_AGO = new Date('2001-01-01T00:00:00Z')

let folder: Folder
let secret = ''
beforeAll(() => {
  folder = temporaryFolder()
  secret = join(folder.path, 'secret.parquet')
  mkdirSync(join(folder.path, 'lake'))
})
afterAll(() => folder[Symbol.dispose]())

/** Creates a file whose next read changes its access time, if the file system records access times. */
function setOut(): void {
  rmSync(secret, { force: true })
  writeFileSync(secret, CANARY.repeat(100))
  // Even with relatime, the access time is updated if it is older than the modification time.
  utimesSync(secret, LONG_AGO, new Date(LONG_AGO.getTime() + 1000))
}
const wasRead = (): boolean => statSync(secret).atimeMs !== LONG_AGO.getTime()

function notesReadings(): boolean {
  setOut()
  readFileSync(secret)
  return wasRead()
}

const vector = (pathOrInlineDv: string): Line => ({
  deletionVector: { storageType: 'p', pathOrInlineDv, offset: 1, sizeInBytes: 40, cardinality: 1 },
})

/** Ways to refer to the file from within the table, and one that is not on disk. */
const ways = (): readonly (readonly [string, string])[] => [
  ['dots', '../../secret.parquet'],
  ['dots in the middle', 'day=1/../../../secret.parquet'],
  ['escaped dots', '%2e%2e/%2e%2e/secret.parquet'],
  ['escaped slashes', '..%2F..%2Fsecret.parquet'],
  ['an absolute path', secret],
  ['a URI', pathToFileURL(secret).href],
  ['a short URI', `file:${secret}`],
  ['a URI of this machine', `file://localhost${secret}`],
  ['another bucket', 's3://somebody-elses/secret.parquet'],
]

test(
  'no file outside of the table that a log refers to is read, unless an option allows it',
  { timeout: 120_000 },
  async (context) => {
    context.skip(!notesReadings(), 'this file system does not note readings')
    const files = ways().map(([, path]) => add(path, { size: CANARY.length * 100 }))
    const vectors = ways().map(([, path], i) => add(`inside-${i}`, vector(path)))
    writeLog(join(folder.path, 'lake/t'), [[PROTOCOL, METADATA, ...files, ...vectors]])
    setOut()
    const catalog = ['--database-url', 'sqlite:///catalog.db']
    const commands = [
      ['import', './lake/t', ...catalog],
      ['validate', './lake/t', ...catalog],
      ['files', './lake/t', ...catalog],
      ['export-log', './lake/t', './exported', ...catalog],
      ['fsck', './lake/t', '--deep'],
      ['discover', './lake', '--recursive'],
      ['verify-rollback', './lake/t', '--check-files', 'all', ...catalog],
    ]
    for (const command of commands) {
      const { out, err } = await run(folder.path, [...command, '--json'])
      expect([command[0], wasRead()]).toEqual([command[0], false])
      expect(out + err).not.toContain(CANARY)
    }
    const { out } = await run(folder.path, ['fsck', './lake/t', '--json'])
    expect(out).toMatch(/outside/)
    // If allowed, the file is read: this shows that the test detects reads.
    writeLog(join(folder.path, 'lake/u'), [
      [PROTOCOL, METADATA, add('../../secret.parquet', { size: CANARY.length * 100 })],
    ])
    const asked = await run(folder.path, ['fsck', './lake/u', '--outside', '--json'])
    expect([wasRead(), asked.out]).toEqual([true, asked.out])
  },
)

test(
  'a checkpoint whose parts are elsewhere is refused, and the parts are not read',
  { timeout: 120_000 },
  async (context) => {
    context.skip(!notesReadings(), 'this file system does not note readings')
    for (const [name, path] of ways()) {
      const table = join(folder.path, 'lake', `v2 ${name}`)
      writeLog(table, [[PROTOCOL, METADATA, add('a')]], 2)
      const lines: Line[] = [
        { checkpointMetadata: { version: 1 } },
        {
          protocol: {
            minReaderVersion: 3,
            minWriterVersion: 7,
            readerFeatures: ['v2Checkpoint'],
            writerFeatures: ['v2Checkpoint'],
          },
        },
        METADATA,
        { sidecar: { path, sizeInBytes: 1900, modificationTime: 1 } },
      ]
      writeFileSync(
        join(table, '_delta_log', `${'1'.padStart(20, '0')}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`),
        lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
      )
      setOut()
      const { code, out, err } = await run(folder.path, [
        'import',
        `./lake/v2 ${name}`,
        '--database-url',
        'sqlite:///v2.db',
        '--ci',
      ])
      expect([name, code]).not.toEqual([name, 0])
      expect([name, wasRead()]).toEqual([name, false])
      expect(out + err).not.toContain(CANARY)
      expect([name, out + err]).toEqual([name, expect.stringMatching(/is not in _delta_log\/_sidecars/)])
    }
  },
)
