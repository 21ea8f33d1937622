/** Reads that the visible screen needs, each with a key that changes when the data must be read again. */
import type { Workbench } from '../../app/workbench.ts'
import { lakeTables } from '../screens/tables/stores.ts'
import { detailContent, geometry, tabRows } from '../state/geometry.ts'
import { dataIdentity, selectedVersion } from '../state/selectors.ts'
import type { DataName, DataValues, State } from '../state/state.ts'

export type Need = {
  [K in DataName]: {
    readonly slot: K
    /** What the data is about, see `dataIdentity`. */
    readonly identity: string
    /** Identity, generation, page and state of the table: if the key changes, the data is read again. */
    readonly key: string
    readonly ask: (workbench: Workbench) => Promise<DataValues[K]>
  }
}[DataName]

const PAGE = 300

/** First row of the page to read for rows from `top` on, with a margin on both sides. */
function pageFrom(top: number): number {
  return Math.max(0, Math.floor(top / 100) * 100 - 100)
}

/** True if the commit under the cursor is shown below the history. */
export function showsCommit(state: State): boolean {
  return state.detail.tab === 'history' && tabRows('history', detailContent(state)).below > 0
}

/** Part of the key that changes with the table's row, so that its details are read again. */
function stampOf(state: State): string {
  const row = lakeTables(state).find(({ key }) => key === state.detail.key)
  return row === undefined ? '' : `|${row.version}|${JSON.stringify(row.catalog)}`
}

/** All data that the screen needs in this state. */
export function needs(state: State): readonly Need[] {
  const id = (name: DataName): string => dataIdentity(state, name)
  const stamp = stampOf(state)
  const key = (name: DataName, page = 0): string =>
    `${state.generation}|${id(name)}|${page}${name === 'tables' || name === 'runs' ? '' : stamp}`
  const out: Need[] = [
    { slot: 'tables', identity: 'tables', key: key('tables'), ask: (w) => w.tables() },
    { slot: 'runs', identity: 'runs', key: key('runs'), ask: (w) => w.runs(500) },
  ]
  const d = state.detail
  const table = d.key
  if (state.screen !== 'tables' || table === null) return out
  out.push({ slot: 'overview', identity: id('overview'), key: key('overview'), ask: (w) => w.overview(table) })
  if (geometry(state).detail === 0) return out
  switch (d.tab) {
    case 'overview':
      break
    case 'schema':
      out.push({ slot: 'schema', identity: id('schema'), key: key('schema'), ask: (w) => w.schema(table) })
      break
    case 'features':
      out.push({ slot: 'features', identity: id('features'), key: key('features'), ask: (w) => w.features(table) })
      break
    case 'history': {
      const from = pageFrom(d.at.history.top)
      out.push({
        slot: 'history',
        identity: id('history'),
        key: key('history', from),
        ask: (w) => w.history(table, from, PAGE),
      })
      const version = selectedVersion(state)
      if (version !== null && showsCommit(state))
        out.push({ slot: 'commit', identity: id('commit'), key: key('commit'), ask: (w) => w.commit(table, version) })
      break
    }
    case 'partitions': {
      const from = pageFrom(d.at.partitions.top)
      const asOf = d.asOf
      out.push({
        slot: 'partitions',
        identity: id('partitions'),
        key: key('partitions', from),
        ask: (w) => w.partitions(table, asOf, from, PAGE),
      })
      break
    }
    case 'files': {
      const from = pageFrom(d.at.files.top)
      const query = { asOf: d.asOf, where: d.where, sort: d.fileSort, descending: d.fileDescending, from, count: PAGE }
      out.push({ slot: 'files', identity: id('files'), key: key('files', from), ask: (w) => w.files(table, query) })
      break
    }
  }
  if (geometry(state).mode !== 'one' && (d.tab === 'overview' || d.tab === 'history')) {
    const asOf = d.asOf
    out.push({
      slot: 'largest',
      identity: id('largest'),
      key: key('largest'),
      ask: (w) => w.partitions(table, asOf, 0, 200),
    })
  }
  return out
}
