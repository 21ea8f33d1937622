/** The Schema, Partitions and Features tabs. */
import { bytes, shownCount } from '../../../render/screen-format.ts'
import { block, cell, line, span, type Line } from '../../draw/line.ts'
import { clean, cutMiddle, padEnd } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import { tabRows } from '../../state/geometry.ts'
import { dataIdentity, knownValue } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import { partitionValuesName } from './charts.ts'
import { listRows, loadedPage, pageRows, waitingLines } from './rows.ts'

/** Columns with their types, nested ones indented. */
export function schemaTab(state: State, cells: number, rows: number): Line[] {
  const fields = knownValue(state, 'schema', dataIdentity(state, 'schema'))
  const marks = marksOf(state.ascii)
  const name = Math.max(16, Math.min(40, Math.floor(cells * 0.4)))
  const type = Math.max(12, Math.min(30, Math.floor(cells * 0.3)))
  const head = line(`   ${padEnd('COLUMN', name)}${padEnd('TYPE', type)}${padEnd('NULL', 6)}NOTES`, 'strong')
  if (fields === null) return block([head, ...waitingLines(state, 'schema', cells)], cells, rows)
  const body = listRows(state, fields, state.detail.at.schema, tabRows('schema', rows).list, cells, (f, here): Line => {
    const own = '  '.repeat(f.depth) + clean(f.path.slice(f.depth === 0 ? 0 : f.path.lastIndexOf('.') + 1))
    const notes = [...(f.partition ? ['partition'] : []), ...f.notes]
    return [
      span(` ${here ? marks.row : ' '} ${padEnd(cutMiddle(own, name - 1), name)}`),
      span(padEnd(cutMiddle(clean(f.type), type - 1), type), 'info'),
      span(padEnd(f.nullable ? 'yes' : 'no', 6), f.nullable ? 'plain' : 'warn'),
      span(clean(notes.join(', '))),
    ]
  })
  return block([head, ...body], cells, rows)
}

/** One row per partition, with the catalog's counts. */
export function partitionsTab(state: State, cells: number, rows: number): Line[] {
  const page = loadedPage(state, 'partitions')
  const marks = marksOf(state.ascii)
  const columns = page?.rows[0] === undefined ? '' : Object.keys(page.rows[0].values).join(' / ')
  const name = Math.max(16, cells - 3 - 12 - 11 - 16)
  const head = line(
    `   ${padEnd(columns === '' ? 'PARTITION' : clean(columns), name)}${'FILES'.padStart(12)}${'SIZE'.padStart(11)}${'ROWS'.padStart(16)}`,
    'strong',
  )
  if (page === null) return block([head, ...waitingLines(state, 'partitions', cells)], cells, rows)
  const body = pageRows(
    state,
    page,
    state.detail.at.partitions,
    tabRows('partitions', rows).list,
    cells,
    (p, here): Line => [
      span(
        ` ${here ? marks.row : ' '} ${padEnd(cutMiddle(clean(partitionValuesName(p.values)) || 'the whole table', name), name)}`,
      ),
      cell(shownCount(p.files), -12),
      cell(bytes(p.bytes), -11),
      cell(shownCount(p.rows), -16),
    ],
  )
  if (page.total === 0) body[0] = line('   no partition has an active file', 'muted')
  return block([head, ...body], cells, rows)
}

/** Table features, and whether they are supported for reading. */
export function featuresTab(state: State, cells: number, rows: number): Line[] {
  const features = knownValue(state, 'features', dataIdentity(state, 'features'))
  const marks = marksOf(state.ascii)
  const head = line(`   ${padEnd('FEATURE', 26)}${padEnd('SIDE', 15)}NOTE`, 'strong')
  if (features === null) return block([head, ...waitingLines(state, 'features', cells)], cells, rows)
  const body = listRows(
    state,
    features,
    state.detail.at.features,
    tabRows('features', rows).list,
    cells,
    (f, here): Line => [
      span(` ${here ? marks.row : ' '} ${padEnd(cutMiddle(clean(f.name), 25), 26)}`),
      span(padEnd(f.side, 15), 'muted'),
      f.readable ? span(`${marks.ok} `, 'ok') : span(`${marks.refused} cannot be read · `, 'bad'),
      span(clean(f.note)),
    ],
  )
  if (features.length === 0) body[0] = line('   no table feature is in use', 'muted')
  return block([head, ...body], cells, rows)
}
