/** Commands in texts are completed so that they can be pasted: with the options of the run, without passwords. */
import { describe, expect, test } from 'vitest'
import { reported } from '../../src/app/whole-commands/reported.ts'
import { wholeCommands } from '../../src/app/whole-commands/whole.ts'

const COPY =
  'sluice copy --from "$SOURCE" --to prod --config sluice.yaml --tables \'public.*\' --rename a=b --workers 8'
const ENDS = '--from "$SOURCE" --to prod --config sluice.yaml'
const whole = wholeCommands(COPY, { from: 'postgresql://me:secret@a/b', to: 'postgresql://me:other@c/d' })

describe('a command in a text', () => {
  test.each([
    ['the ends of the run', 'then sluice quarantine retry', `then sluice quarantine retry ${ENDS}`],
    [
      'prose behind it stays behind it',
      'sluice quarantine list shows them: mend them',
      'sluice quarantine list --to prod --config sluice.yaml shows them: mend them',
    ],
    ['an id', 'sluice diff --undo 17 takes both', `sluice diff --undo 17 ${ENDS} takes both`],
    [
      'tables and how they are copied, where both know that, and no lanes',
      'sluice diff names the rows',
      `sluice diff ${ENDS} --tables 'public.*' --rename a=b names the rows`,
    ],
    ['a full stop', 'run sluice follow 12.', `run sluice follow 12 ${ENDS}.`],
    [
      'a URL in place of the word URL',
      'sluice runs --to URL lists',
      'sluice runs --to prod --config sluice.yaml lists',
    ],
    [
      'a URL that has lost its password',
      'sluice follow 12 --to postgresql://me@c/d',
      'sluice follow 12 --to prod --from "$SOURCE" --config sluice.yaml',
    ],
    ['this machine only', 'sluice runs --here lists', 'sluice runs --here lists'],
    ['no word of the engine', 'run sluice ctl 12 resume', 'run sluice ctl 12 resume'],
    ['the program', 'a stream of sluice reads it', 'a stream of sluice reads it'],
  ])('%s', (_what, text, expected) => {
    expect(whole(text)).toBe(expected)
    // Completing a text twice changes nothing.
    expect(whole(expected)).toBe(expected)
  })

  test.each([
    ['copy', '--from shop --to arc --table a --distributed --config q.yaml'],
    ['runs', '--distributed --config q.yaml'],
    ['worker', '--config q.yaml'],
  ])('commands that steer a shared run name its queue: %s', (name, words) => {
    const printed = wholeCommands(`sluice ${name} ${words}`)
    expect(printed('then sluice ctl 12 resume --distributed to queue the rest')).toBe(
      'then sluice ctl 12 resume --distributed --config q.yaml to queue the rest',
    )
    expect(printed('sluice ctl RUN stop --distributed, then')).toBe(
      'sluice ctl RUN stop --distributed --config q.yaml, then',
    )
    expect(printed('sluice ctl lists the running ones')).toBe('sluice ctl lists the running ones')
    const named = wholeCommands(`sluice ${name} ${words} --connect "$QUEUE"`)
    const line = 'sluice ctl 12 rate 5 --distributed --connect "$QUEUE" --config q.yaml'
    expect(named('sluice ctl 12 rate 5 --distributed')).toBe(line)
    expect(named(line)).toBe(line)
  })

  test.each([
    ['-x', '=-x'],
    ["'- a b'", "='- a b'"],
    ['x-y', ' x-y'],
    ["'x -y'", " 'x -y'"],
  ])('a table name that begins with a dash is not parsed as a flag: %s', (name, put) => {
    const own = 'sluice partition list --from a --config b.yaml --table=-own'
    const listed = wholeCommands(own)
    const ends = '--from a --config b.yaml'
    expect(listed(`then sluice partition ensure --table ${name} --ahead 2 makes it`)).toBe(
      `then sluice partition ensure --table${put} --ahead 2 ${ends} makes it`,
    )
    expect(listed(`sluice partition ensure --table=${name} shows it`)).toBe(
      `sluice partition ensure --table=${name} ${ends} shows it`,
    )
    expect(listed('sluice partition plan --table TABLE --by at')).toBe(
      `sluice partition plan --table=-own --by at ${ends}`,
    )
    expect(listed('sluice partition ensure makes it')).toBe(`sluice partition ensure ${ends} --table=-own makes it`)
  })

  test('two commands in one text are both completed', () => {
    expect(whole('go on by sluice follow 3, or end it with sluice follow 3 --end')).toBe(
      `go on by sluice follow 3 ${ENDS}, or end it with sluice follow 3 --end ${ENDS}`,
    )
  })

  test('a command that names a run needs no source, which is in the ledger', () => {
    const url = 'postgresql://me@a/b'
    const plain = wholeCommands(`sluice copy --from ${url} --to d1://a/b --table t`, { from: url, to: 'd1://a/b' })
    expect(plain('sluice quarantine retry 5')).toBe('sluice quarantine retry 5 --to d1://a/b')
    expect(plain('sluice diff --undo 5')).toBe(`sluice diff --undo 5 --from ${url} --to d1://a/b`)
  })

  test('a command about the stream of a partition run within one database gets that database as its target', () => {
    const line = 'sluice partition run --from "$SHOP" --table t --by at --epoch s --year-offset 1 --no-config'
    const printed = wholeCommands(line, { from: 'postgresql://me:secret@a/b' })
    expect(printed('run sluice follow 3 to copy the rest')).toBe(
      'run sluice follow 3 --from "$SHOP" --to "$SHOP" --no-config to copy the rest',
    )
    const named = wholeCommands('sluice partition run --table t --by at', { from: 'postgresql://me:secret@a/b' })
    expect(named('sluice sign-off 3')).toBe('sluice sign-off 3 --to postgresql://me@a/b')
    // The config file names another database, and so does the printed command.
    const elsewhere = wholeCommands('sluice partition run --from "$SHOP" --table t --by at --config q.yaml', {
      from: 'postgresql://me:secret@a/b',
      to: 'postgresql://me:secret@c/d',
    })
    expect(elsewhere('sluice follow 3')).toBe('sluice follow 3 --from "$SHOP" --config q.yaml')
  })

  test('a command about partitions gets the periods of the run: unit of the column, and offset of the year', () => {
    const periods = '--table t --by at --epoch s --calendar quarter --year-offset 1'
    const planned = wholeCommands(`sluice partition plan --from "$SHOP" ${periods} --workers 2`, {
      from: 'postgresql://me:secret@a/b',
    })
    expect(planned('sluice partition run creates it')).toBe(`sluice partition run --from "$SHOP" ${periods} creates it`)
  })

  test('a command gets the table, or the stream, of the run', () => {
    const inspected = wholeCommands("sluice validate 'sales/or ders' --database-url sqlite:///l.db")
    expect(inspected('sluice fsck TABLE opens them')).toBe(
      "sluice fsck 'sales/or ders' --database-url sqlite:///l.db opens them",
    )
    const followed = wholeCommands('sluice sign-off 12 --to sqlite:///l.db')
    expect(followed('sluice follow STREAM goes on')).toBe('sluice follow 12 --to sqlite:///l.db goes on')
  })

  test.each([
    ['a name of small letters', 'sluice prune orders --keep-versions 1 --database-url sqlite:///c.db'],
    ['several names', 'sluice sync orders sales --database-url sqlite:///c.db'],
    ['a name behind two dashes', 'sluice prune --database-url sqlite:///c.db --keep-versions 1 -- --orders'],
    ['flags in front of the command', 'sluice --color never --database-url sqlite:///c.db -v history orders'],
    ['short flags', 'sluice rollback -n orders -v --database-url=sqlite:///c.db'],
    ['flags of a face', 'sluice history --quit --no-color orders --ascii=true --database-url sqlite:///c.db'],
    ['a flag that says yes', 'sluice prune --all true --dry-run false --database-url sqlite:///c.db'],
    ['a column that is called like a command', 'sluice index orders sync history --database-url sqlite:///c.db'],
    ['a full stop behind a name', 'sluice validate ./or.der: --database-url sqlite:///c.db'],
    ['what a shell quotes', `sluice sql 'select "a; b", '\\''x'\\'' from t' --limit 5 --database-url sqlite:///c.db`],
    [
      'a query with lines',
      `sluice sql 'select 1;\n-- sluice prune x --database-url sqlite:///other.db\n' --database-url sqlite:///c.db`,
    ],
  ])('%s of the run is part of its command line', (_what, line) => {
    const said = wholeCommands(line)('an id that sluice migration-status prints')
    expect(said).toBe('an id that sluice migration-status --database-url sqlite:///c.db prints')
  })

  test('an archive is no database: its --to is not used as the URL of a database', () => {
    const archived = wholeCommands('sluice archive run --from a --table public.v --to ./archive --older-than 8q')
    expect(archived('sluice archive verify --deep compares values')).toBe(
      'sluice archive verify --deep --from a --table public.v compares values',
    )
    expect(archived('sluice follow 3 --end --to URL, with the URL of its target')).toBe(
      'sluice follow 3 --end --to URL --from a, with the URL of its target',
    )
    expect(archived('end the stream first: sluice follow 3 --end')).toBe(
      'end the stream first: sluice follow 3 --end --from a',
    )
  })
})

test('texts of an event are completed, and data is not', () => {
  const text = 'sluice quarantine retry'
  const error = { code: 'ROWS_ASIDE', message: 'm', hint: text, kind: 'verify', retryable: false } as const
  const finished = { type: 'table.finished', table: text, status: 'failed', ms: 1, notes: [text], error } as const
  const now = reported(finished, whole)
  expect(now.table).toBe(text)
  expect(now.notes).toEqual([`${text} ${ENDS}`])
  expect(now.error.hint).toBe(`${text} ${ENDS}`)
  const row = { type: 'row', values: [text] } as const
  expect(reported(row as never, whole)).toBe(row)
})
