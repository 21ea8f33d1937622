/** A sign-off as Markdown: special characters of names are escaped. */
import { expect, test } from 'vitest'
import type { SignOff } from '../../src/model/follow/sign-off.ts'
import { historyText, signOffText } from '../../src/model/follow/sign-off-text.ts'

const SIDE = { url: 'postgresql://app@db/app', system: 'postgresql', identity: 'postgresql/1/2' }

const DOCUMENT: SignOff = {
  format: 'sluice-sign-off',
  version: 1,
  id: 'a',
  verdict: 'refused',
  reasons: ['public.a|b: 1 rows differ'],
  at: '2026-11-22T02:00:00.000Z',
  by: 'Ada\n<b>',
  user: 'ada',
  host: 'here',
  tool: '1.0.0',
  run: '7',
  source: SIDE,
  target: SIDE,
  compared: null,
  others: ['public.c'],
  checks: [{ check: 'indexes', table: 'public.a|b', outcome: 'failed', found: '1 of 2', hint: 'REINDEX' }],
  history: {
    stream: '7',
    status: 'halted',
    begunAt: '2026-11-20T00:00:00.000Z',
    endedAt: null,
    position: '0/1',
    transactions: '3',
    committedAt: null,
    tables: [],
    proofs: [],
    faults: [{ code: 'SLOT_LOST', tables: [], message: 'the slot is gone', since: '0/1' }],
    signOffs: [],
  },
  leftBehind: [],
}

test('names cannot break a table cell', () => {
  const lines = signOffText(DOCUMENT).split('\n')
  expect(lines[0]).toBe('# Sign-off refused')
  expect(lines).toContain('| signed by | Ada &lt;b> |')
  expect(lines).toContain('| indexes | public.a\\|b | failed | 1 of 2 | REINDEX |')
  expect(lines).toContain('Nothing was compared.')
  expect(lines).toContain('Other tables of the stream were not checked: public.c.')
})

test('SQL has its comparisons as they are written', () => {
  const hint = 'ALTER TABLE a ADD CHECK (n < 5 AND n <> 3 AND n <= 4)'
  expect(signOffText({ ...DOCUMENT, reasons: [hint, '</b><!-- <?x'] })).toContain(
    `- ${hint}\n- &lt;/b>&lt;!-- &lt;?x\n`,
  )
})

test('names cannot make links, images or bidirectional text', () => {
  const text = signOffText({ ...DOCUMENT, others: ['![x](http://elsewhere/x)', 'a\u202eb', 'c\\[d]'] })
  expect(text).toContain(String.raw`of the stream were not checked: !\[x](http://elsewhere/x), a\\u{202e}b, c\\\[d].`)
})

test('the history of a stream reports what was not compared, and why the stream halted', () => {
  const text = historyText(DOCUMENT.history)
  expect(text).toContain('No table of the stream was compared yet.')
  expect(text).toContain('- halted: SLOT_LOST the slot is gone; changes since 0/1 may be missing in all tables')
})
