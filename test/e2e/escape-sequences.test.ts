/** Names and texts of other users with escape sequences or commands for a CI runner are printed harmlessly. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { BIN, cleanEnv } from './support/program.ts'

/**
 * Color, title, clipboard, clear screen, a C1 sequence, backspace, right to left, invisible characters; then commands
 * of GitHub's and Azure's runners.
 */
const ORDERS =
  '\u001b[31m\u001b]0;t\u0007\u001b]52;c;eA==\u0007\u001b[2J\u009b31m\r\b\u202e\u200b\u00ad\u034f\u{e0041}\n::set-output name=x::y\n::add-mask::z\n##[error]w'
// Folder names cannot contain a slash; the terminal's title line cannot contain the rest.
const NAME = `t${ORDERS}`
/** Characters that a terminal acts on. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Bidi_Control}/u
/** Invisible characters, which make two names look alike. */
const UNSEEN = /\p{Default_Ignorable_Code_Point}/u
/** Commands of a runner: at the start of a line, or anywhere. */
const ORDER = /^\s*::(?:set-output|add-mask)|##\[error\]w/m

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
  const metadata = { metaData: { ...(METADATA['metaData'] as object), name: ORDERS, description: ORDERS } }
  const info = {
    commitInfo: {
      timestamp: 1,
      operation: ORDERS,
      userName: ORDERS,
      userMetadata: ORDERS,
      operationParameters: { [ORDERS]: ORDERS },
    },
  }
  const table = join(folder.path, 'lake', NAME)
  writeLog(table, [
    [
      info,
      PROTOCOL,
      metadata,
      add(encodeURIComponent(ORDERS), { partitionValues: { day: ORDERS }, tags: { [ORDERS]: ORDERS } }),
    ],
    [{ commitInfo: { operation: ORDERS, userName: ORDERS } }, add('b')],
  ])
  const broken = join(folder.path, 'lake', `broken${ORDERS}`)
  writeLog(broken, [[PROTOCOL, METADATA]])
  appendFileSync(join(broken, '_delta_log', `${'0'.repeat(20)}.json`), `{"${ORDERS}\n`)
  mkdirSync(join(folder.path, 'out'))
  writeFileSync(join(folder.path, 'rows.sql'), '')
})
afterAll(() => folder[Symbol.dispose]())

const catalog = ['--database-url', 'sqlite:///catalog.db']
const COMMANDS: readonly (readonly string[])[] = [
  ['discover', './lake', '--recursive'],
  ['batch-import', './lake', ...catalog],
  ['import', `./lake/${NAME}`, ...catalog],
  ['import', `./lake/broken${ORDERS}`, ...catalog],
  ['history', `./lake/${NAME}`, ...catalog],
  ['files', `./lake/${NAME}`, ...catalog],
  ['files', `./lake/${NAME}`, '--where', `day = '${ORDERS}'`, ...catalog],
  ['changes', `./lake/${NAME}`, '--from-version', '0', '--to-version', '1', ...catalog],
  ['validate', `./lake/${NAME}`, ...catalog],
  ['fsck', `./lake/${NAME}`],
  ['migration-status', ...catalog],
  ['runs', ...catalog],
  ['sql', `SELECT '${ORDERS}'`, ...catalog],
  ['sql', `SELECT nonsense_${ORDERS}`, ...catalog],
  ['copy', '--from', 'sqlite:///catalog.db', '--to', 'sqlite:///copy.db', '--table', `n${ORDERS}`],
  [`no${ORDERS}`],
  ['import', './lake', `--no${ORDERS}`],
  ['import', `./lake/none${ORDERS}`, ...catalog],
]

test.each(['a terminal that is none', "GitHub's runner"])(
  'no output contains commands for %s',
  { timeout: 180_000 },
  (face) => {
    const summary = join(folder.path, 'summary.md')
    writeFileSync(summary, '')
    const isRunner = face.startsWith('GitHub')
    const env = isRunner ? { ...cleanEnv(), GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: summary } : cleanEnv()
    const log = join(folder.path, `${isRunner ? 'runner' : 'terminal'}.log`)
    const obeyed: unknown[] = []
    for (const words of COMMANDS) {
      const { stdout, stderr } = spawnSync(process.execPath, [BIN, ...words, '--ci', '--log-file', log], {
        cwd: folder.path,
        env,
        encoding: 'utf8',
      })
      expect((stdout + stderr).length).toBeGreaterThan(0)
      for (const text of [stdout, stderr]) {
        for (const pattern of isRunner ? [CONTROL, ORDER] : [CONTROL, UNSEEN]) {
          const at = text.search(pattern)
          if (at !== -1) obeyed.push([words[0], JSON.stringify(text.slice(Math.max(0, at - 80), at + 80))])
        }
      }
    }
    expect(obeyed).toEqual([])
    expect(readFileSync(log, 'utf8')).not.toMatch(CONTROL)
    expect(readFileSync(summary, 'utf8')).not.toMatch(CONTROL)
    if (isRunner) expect(readFileSync(summary, 'utf8')).toContain('sluice')
  },
)
