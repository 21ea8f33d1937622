import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bar, progressBar, sparkline } from '../../src/tui/draw/bars.ts'
import { age, bytes, clockSpan, shownCount, countDec, percent, took } from '../../src/render/screen-format.ts'
import { chosen, fit, line, lineText, lineWidth, overlay, rule, span, spreadLine } from '../../src/tui/draw/line.ts'
import {
  clean,
  cutEnd,
  cutMiddle,
  padEnd,
  padStart,
  shortFile,
  width,
  wrap,
  wrapLabelled,
} from '../../src/render/screen-text.ts'

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constantFrom('地址', 'Zoë', '👩‍👩‍👧', 'a地b', ''))

describe('text', () => {
  it('is never wider than the limit', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 0, max: 20 }), (raw, cells) => {
        const text = clean(raw)
        expect(width(cutEnd(text, cells))).toBeLessThanOrEqual(cells)
        expect(width(cutMiddle(text, cells))).toBeLessThanOrEqual(cells)
        expect(width(padEnd(text, cells))).toBe(cells)
        expect(width(padStart(text, cells))).toBe(cells)
        expect(lineWidth(fit([span(text), span(text, 'ok')], cells))).toBe(cells)
        if (cells > 1) for (const row of wrap(text, cells)) expect(width(row)).toBeLessThanOrEqual(cells)
      }),
    )
  })

  it('keeps both ends of a name', () => {
    expect(cutMiddle('sales/orders_by_customer', 12)).toBe('sales…stomer')
    expect(shortFile('year=2024/part-00003-5f1e41b2-aa.c000.zstd.parquet')).toBe('year=2024/part-00003-5f1e….parquet')
  })

  it('replaces control characters', () => {
    expect(clean('a\u001b[31mb\rc\u202ed')).toBe('a\ufffd[31mb\ufffdc\ufffdd')
  })

  it('is wrapped below a label', () => {
    expect(wrapLabelled('path     aaaa bbbb cccc', 18)).toEqual(['path     aaaa bbbb', '         cccc'])
  })
})

describe('lines', () => {
  it('a box over wide characters does not move the text next to it', () => {
    const screen = [line('地址地址地址地址'), line('abcdefghijklmnop')]
    const over = overlay(screen, [line('[box]'), line('[box]')], 3, 0, 16)
    expect(over.map(lineWidth)).toEqual([16, 16])
    expect(over.map(lineText)).toEqual(['地 [box]地址地址', 'abc[box]ijklmnop'])
  })

  it('the right side is never shortened', () => {
    expect(lineText(spreadLine(line('a long left side'), line('right'), 12))).toBe('a long…right')
    expect(lineWidth(rule('title', 20))).toBe(20)
    expect(chosen(line('x'), 5)).toEqual([{ text: 'x    ', tone: 'chosen' }])
  })
})

describe('figures', () => {
  it('show ? for an unknown value', () => {
    expect([
      shownCount(null),
      bytes(undefined),
      took(null),
      age(null, 0),
      percent(null),
      clockSpan(null),
      countDec(undefined),
    ]).toEqual(['?', '?', '?', '?', '?', '?', '?'])
  })

  it('are grouped, and unit and rounding agree', () => {
    expect(shownCount(1204331)).toBe('1,204,331')
    expect(countDec('12345678901234567890')).toBe('12,345,678,901,234,567,890')
    expect(bytes(999_950)).toBe('1.0 MB')
    expect(bytes(999)).toBe('999 B')
    expect(bytes(3.1e12)).toBe('3.1 TB')
    expect([took(0.31), took(41.2), took(1900), took(12_400)]).toEqual(['0.31 ms', '41.2 ms', '1.90 s', '12.4 s'])
    expect([age(0, 9000), age(0, 240_000), age(0, 3 * 3_600_000), age(0, 31 * 86_400_000)]).toEqual([
      '<1 min',
      '4 min',
      '3 h',
      '31 d',
    ])
    expect(clockSpan(3_723_000)).toBe('1:02:03')
  })
})

describe('bars', () => {
  it('are full only at 100 %, and never empty above 0', () => {
    expect(progressBar(0.999, 10, false)).toBe('█████████░')
    expect(progressBar(1, 10, false)).toBe('██████████')
    expect(progressBar(null, 4, true)).toBe('----')
    expect(bar(0.0001, 10, false)).toBe('▏')
    expect(bar(0, 10, false)).toBe('')
    expect(sparkline([0, 1, 2, 4], 3, false)).toBe('▂▄█')
  })
})
