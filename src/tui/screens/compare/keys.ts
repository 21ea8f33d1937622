/** Keys of the Compare screen. */
import { section } from '../../keymap/binding.ts'
import * as is from '../../keymap/conditions.ts'

export const COMPARE_KEYS = section('COMPARE screen', 'screen', [
  ['compare.again', ['enter'], 'ask this question again', is.askAgain, { hint: 'ask again', rank: 1, palette: true }],
  ['compare.all', ['a'], 'ask all questions again', is.askAgain, { hint: 'all again', rank: 2, palette: true }],
  ['compare.bytes', ['b'], 'bars: time, asked, bytes', is.compared, { hint: 'bars', rank: 2, palette: true }],
  ['compare.cold', ['m'], 'warm median or cold', is.compared, { hint: 'warm/cold', rank: 2, palette: true }],
  [
    'compare.further',
    ['.', 'right'],
    'servers further away',
    is.compared,
    { hint: 'latency', hintKeys: '← →', rank: 1, palette: true, help: ['← → , .', 'latency, estimated'] },
  ],
  ['compare.nearer', [',', 'left'], 'servers nearer', is.compared, { palette: true, unlisted: true }],
  ['compare.picture', ['s'], 'picture for a slide (SVG)', is.compared, { hint: 'picture', rank: 2, palette: true }],
  ['compare.report', ['W'], 'again, with a report file', is.askAgain, { hint: 'report', rank: 3, palette: true }],
])
