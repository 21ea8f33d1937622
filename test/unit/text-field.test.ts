/** Editing by grapheme; plain texts are split in a faster way. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { around, edit, field } from '../../src/tui/state/text-field.ts'

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const graphemes = (text: string): string[] => Array.from(segmenter.segment(text), ({ segment }) => segment)

it('splits the text at the caret like the slow way', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constant('a\r\nb')),
      fc.nat(30),
      (text, left) => {
        let at = field(text)
        expect(at.caret).toBe(graphemes(text).length)
        for (let i = 0; i < left; i += 1) at = edit(at, 'left', '') ?? at
        expect(around(at)).toEqual([
          graphemes(text).slice(0, at.caret).join(''),
          graphemes(text).slice(at.caret).join(''),
        ])
      },
    ),
  )
})
