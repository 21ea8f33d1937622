/** One check of a table: its listing, files, checkpoints, checksums and history, in this order. */
import { newestOf } from '../../../../catalog/import/same-log.ts'
import type { FsckRecord } from '../../../../catalog/fsck-findings.ts'
import type { Finding } from '../../../../delta/fsck/finding.ts'
import { partitionCheck } from '../../../../delta/fsck/partitions.ts'
import { ROW_TRACKING_DOMAIN, RowIds } from '../../../../delta/fsck/row-ids.ts'
import { schemaRefusals } from '../../../../delta/fsck/schema-refusals.ts'
import { dvId } from '../../../../delta/paths.ts'
import type { ListedFiles } from '../../../../delta/fsck/listed-files.ts'
import { RandomSample } from '../../../../delta/fsck/sample.ts'
import { incompleteNotes } from '../../../../delta/listing.ts'
import { retentionOf } from '../../../../delta/retention.ts'
import { dec } from '../../../../model/run/event.ts'
import { breathe } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { listTable, ListingCheck } from '../../fsck/inspect-listing.ts'
import { inspectChecksum } from '../../fsck/inspect-checksum.ts'
import { inspectCheckpoints, inspectedText, type CheckpointCounts } from '../../fsck/inspect-checkpoints.ts'
import { inspectCompacted, type CompactedCounts } from '../../fsck/inspect-compacted.ts'
import { gapFindings, inspectHistory } from '../../fsck/inspect-history.ts'
import { inspectLeftovers } from '../../fsck/inspect-leftovers.ts'
import { SpellingCheck } from '../../fsck/inspect-spellings.ts'
import { inspectContents, type ContentCounts, type FsckJob } from '../../fsck/inspect-contents.ts'
import { Places } from '../../fsck/places.ts'
import { FsckProgress } from '../../fsck/progress.ts'
import { FsckReport } from '../../fsck/report.ts'
import type { FsckFile, Subject } from '../../fsck/subject.ts'
import { parquetFooters } from '../../../run/registry.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { fsck, FsckOperation } from './declaration.ts'

type FsckRun = RunOf<typeof fsck>

const BREATHE_EVERY = 1000

/** Counts of active files. `wanted`: to be checked; of these, `vectors` have a deletion vector, and `there` exist. */
type Counts = { all: number; bytes: bigint; wanted: number; vectors: number; there: number }

function activeTwice({ path, vector }: FsckFile): Finding {
  const how = vector === null ? 'without a deletion vector' : `with the deletion vector ${dvId(vector)}`
  return { level: 'finding', kind: 'file-twice', path, detail: `it is active twice, the second time ${how}` }
}

export class Check {
  readonly #operation: FsckOperation
  readonly #subject: Subject
  readonly #run: FsckRun
  readonly #report: FsckReport
  readonly #places: Places
  readonly #progress: FsckProgress
  readonly #counts: Counts = { all: 0, bytes: 0n, wanted: 0, vectors: 0, there: 0 }
  readonly #totals: Record<string, string> = {}
  readonly #absent: Finding[] = []
  readonly #rowIds = new RowIds()
  seen = ''

  constructor(operation: FsckOperation, subject: Subject, run: FsckRun) {
    this.#operation = operation
    this.#subject = subject
    this.#run = run
    this.#report = new FsckReport(run.emit, operation.table)
    this.#places = new Places(subject.store, operation.outside)
    this.#progress = new FsckProgress(operation.table, run.emit, run.clock)
  }

  async run(): Promise<Ending> {
    const { stop: abort } = this.#run.interrupt
    const isOld = this.#subject.version < this.#subject.table.latest
    const found = (finding: Finding): void => {
      if (isOld && finding.absent !== undefined) this.#absent.push(finding)
      else this.#report.add(finding)
    }
    const listed = await listTable(this.#subject, this.#progress, found, abort)
    const listing = new ListingCheck(listed, this.#places, abort)
    await this.inspectNewest(abort)
    const inside = await this.#inspectContents(listing, found)
    await this.reportAbsent()
    await this.reportActions()
    this.reportListing(listing, listed)
    this.reportInside(inside)
    const before = this.#report.of('page-checksum')
    const spellings = await SpellingCheck.begin(this.#subject.table, this.#subject.version, abort)
    const progress = this.#progress
    const checkpoints = await inspectCheckpoints(this.#subject, parquetFooters, spellings, found, progress, abort)
    this.reportCheckpoints(checkpoints, this.#report.of('page-checksum') - before)
    for (const message of incompleteNotes(await this.#subject.table.listing(abort)))
      this.#run.emit({ type: 'log', level: 'note', table: this.#operation.table, message })
    await inspectChecksum(this.#subject, this.#counts, this.#report, abort)
    this.reportCompacted(await inspectCompacted(this.#subject, found, abort))
    await this.reportRest(listed, spellings)
    return this.#ending(inside, checkpoints, listed.count)
  }

  /** Result to store in the catalog; complete once `run` has ended. */
  record(): Omit<FsckRecord, 'tableId'> {
    const { version } = this.#subject
    return { version, checkedAt: this.#run.clock.now(), looked: this.seen, findings: this.#report.reported }
  }

  /** Reports a log that was replaced since the import: then the files in the catalog are not files of this table. */
  async inspectNewest(signal: AbortSignal): Promise<void> {
    const { catalog, table } = this.#subject
    if (catalog === null) return
    const newest = await newestOf(catalog.newest, await table.listing(signal), this.#subject.store, signal)
    if (newest.is !== 'other') return
    const detail = `the log is no longer the one that was imported: ${newest.why}`
    this.#report.add({ level: 'finding', kind: 'log-rewritten', detail })
  }

  async #inspectContents(listing: ListingCheck, found: (finding: Finding) => void): Promise<ContentCounts> {
    const { deep, seed } = this.#operation
    const counts = this.#counts
    const sample = this.#operation.sample === undefined ? null : new RandomSample<FsckJob>(this.#operation.sample, seed)
    const files = this.#subject.files()
    const progress = this.#progress
    const { schema, partitionColumns } = this.#subject
    const partitions = partitionCheck(schema, partitionColumns)
    const rowIds = this.#rowIds
    progress.begin('files', await this.#subject.count())
    const jobs = async function* (): AsyncGenerator<FsckJob> {
      for await (const block of files) {
        for (const { file, isWanted } of block) {
          // The listing is checked in memory, without waiting: give timers and signals a turn.
          if (++counts.all % BREATHE_EVERY === 0) await breathe()
          counts.bytes += BigInt(file.size)
          if (await listing.needed(file)) found(activeTwice(file))
          rowIds.add(file.path, file.baseRowId, file.stats)
          if (!isWanted) {
            progress.add(1)
            continue
          }
          counts.wanted++
          for (const finding of partitions(file.path, file.partitionValues)) found(finding)
          const { place, vector } = await listing.check(file, found)
          if (place !== null) counts.there++
          if (vector !== null) counts.vectors++
          if (sample !== null && place !== null) sample.offer(file.path, { file, place, vector })
          const opened = sample === null ? place : null
          if (opened !== null || vector !== null) yield { file, place: opened, vector }
          else progress.add(1, file.size)
        }
      }
    }
    const options = { places: this.#places, deep, signal: this.#run.interrupt.stop, found, progress }
    const inside = await inspectContents(jobs(), this.#subject, parquetFooters, options)
    progress.end()
    if (sample === null) return inside
    const items = sample.items()
    progress.begin('sample', items.length)
    const drawn = await inspectContents(items, this.#subject, parquetFooters, options)
    progress.end()
    return { ...drawn, vectors: inside.vectors }
  }

  /** Reports missing files. If only an old version needs a file, VACUUM may have deleted it: a note, not a finding. */
  async reportAbsent(): Promise<void> {
    const { table, version } = this.#subject
    const absent = this.#absent
    if (absent.length === 0) return
    const { stop: abort } = this.#run.interrupt
    const paths = new Set(absent.map(({ absent: path = '' }) => path))
    const needed = new Set<string>()
    const newest = await table.snapshot({}, { signal: abort })
    for await (const block of newest.files({ signal: abort })) {
      for (const { add, path } of block) {
        if (paths.has(path)) needed.add(path)
        const vector =
          add.deletionVector == null ? null : await this.#places.vector(add.deletionVector).catch(() => null)
        if (vector !== null && vector !== 'inline' && paths.has(vector.path)) needed.add(vector.path)
      }
    }
    for (const finding of absent) {
      if (needed.has(finding.absent ?? '')) this.#report.add(finding)
      else {
        const detail = `${finding.detail}; version ${table.latest} does not need it, version ${version} does`
        this.#report.add({ ...finding, level: 'note', kind: 'older-missing', detail })
      }
    }
  }

  /** Reports findings about the add actions of active files, without opening a file. */
  async reportActions(): Promise<void> {
    const { all } = this.#counts
    const report = this.#report
    const { schema, protocol } = this.#subject
    for (const finding of schemaRefusals(schema, protocol)) report.add(finding)
    const isTracked = this.#subject.metadata.configuration?.['delta.enableRowTracking']?.toLowerCase() === 'true'
    if (isTracked) for (const finding of this.#rowIds.absent()) report.add(finding)
    if (this.#rowIds.count > 0) {
      const domain = await this.#subject.domain(ROW_TRACKING_DOMAIN)
      for (const finding of this.#rowIds.findings(domain)) report.add(finding)
    }
    const kinds = ['schema-refused', 'partition-values', 'file-twice', 'row-ids']
    const wrong = kinds.reduce((sum, kind) => sum + report.of(kind), 0)
    report.checked('actions', this.#counts.wanted, all, wrong, 'partition values, paths and row ids compared')
  }

  reportListing({ counts }: ListingCheck, listed: ListedFiles): void {
    const { all, wanted } = this.#counts
    const wrong = this.#report.of('file-missing') + this.#report.of('file-size') + this.#report.of('path-unusable')
    this.#report.checked(
      'listing',
      wanted - counts.outside - counts.unread,
      all,
      wrong,
      `${listed.count} objects listed`,
    )
    if (counts.outside > 0) {
      const detail = `${counts.outside} files lie outside the table and were not inspected`
      this.#report.add({ level: 'note', kind: 'file-outside', detail })
    }
    if (counts.vectorsOutside > 0) {
      const detail = `${counts.vectorsOutside} deletion vectors lie outside the table and were not read`
      this.#report.add({ level: 'note', kind: 'file-outside', detail })
    }
    if (counts.times > 0) {
      const detail = `${counts.times} of ${wanted} files have another modification time than the log records`
      this.#report.add({ level: 'note', kind: 'file-time', detail })
    }
  }

  reportInside({ vectors, footers, bounds, rows, pages, summedPages }: ContentCounts): void {
    const report = this.#report
    const { wanted } = this.#counts
    const { deep, sample, seed } = this.#operation
    const drawn = sample === undefined ? '' : `a sample by seed ${seed}; `
    if (this.#counts.vectors > 0) {
      report.checked('vectors', vectors, this.#counts.vectors, report.of('vector-'), 'deletion vectors read')
    }
    const wrong =
      report.of('file-unreadable') + report.of('file-encrypted') + report.of('row-count') + report.of('column')
    const opened = footers === 0 && wanted > 0 ? 'no file could be opened' : null
    const isDrawn = sample !== undefined && footers < this.#counts.there
    report.checked('footers', footers, wanted, wrong, opened ?? `${drawn}rows, columns and types compared`, isDrawn)
    const compared = opened ?? `${bounds} columns with statistics compared`
    report.checked('statistics', footers, wanted, report.of('statistics'), compared)
    if (!deep) return
    const summed = `${summedPages} of ${pages} pages have a CRC-32`
    report.checked(
      'rows',
      rows,
      wanted,
      report.of('page-checksum'),
      `${drawn}${rows === 0 ? 'no file could be read back' : `all rows of ${rows === 1 ? 'one file' : `${rows} files`} read back; ${summed}`}`,
    )
  }

  reportCheckpoints(counts: CheckpointCounts, pages: number): void {
    const { all, read, sidecars } = counts
    const report = this.#report
    const wrong = report.of('checkpoint-') + report.of('last-checkpoint') + pages
    if (all > 0 || wrong > 0) report.checked('checkpoints', read, all, wrong, inspectedText(counts, wrong))
    if (sidecars > 0) report.checked('sidecars', sidecars, sidecars, report.of('sidecar-'), 'of checkpoints')
  }

  reportCompacted({ all, read, notRead }: CompactedCounts): void {
    if (all === 0) return
    const rest = notRead.length === 0 ? '' : `; ${notRead.length} of them lack commits and were not compared`
    const detail = `log compaction files compared with their commits${rest}`
    this.#report.checked('compacted', read, all, this.#report.of('compacted-'), detail)
  }

  async reportRest(listed: ListedFiles, spellings: SpellingCheck): Promise<void> {
    const { interrupt, clock } = this.#run
    const newest = await this.#subject.table.snapshot({}, { signal: interrupt.stop })
    const newestHead = await newest.head(interrupt.stop)
    const keepFrom = clock.now() - retentionOf(newestHead.metadata)
    const history = await inspectHistory({
      subject: this.#subject,
      newest,
      listed,
      places: this.#places,
      keepFrom,
      needed: this.#missing(),
      spellings,
      progress: this.#progress,
      signal: interrupt.stop,
    })
    const report = this.#report
    const {
      commits,
      gone,
      unreadableBelow,
      changeFiles,
      changeGone,
      repeatedActions,
      withByteOrderMark,
      incompleteActions,
      highRowVersions,
      badTimestamps,
    } = history
    for (const finding of [
      ...repeatedActions,
      ...withByteOrderMark,
      ...incompleteActions,
      ...highRowVersions,
      ...badTimestamps,
      ...spellings.findings(),
    ])
      report.add(finding)
    if (gone > 0) {
      const below = unreadableBelow === null ? 'older versions' : `versions below ${unreadableBelow}`
      const detail = `${gone} files that only older versions need do not exist; ${below} may not be readable`
      report.add({ level: 'note', kind: 'older-missing', found: `${gone}`, detail })
    }
    if (changeGone > 0) {
      const detail = `${changeGone} of ${changeFiles} files of change data do not exist`
      report.add({ level: 'note', kind: 'change-data-missing', found: `${changeGone}`, detail })
    }
    const isNewest = this.#subject.version === newest.version
    const left = inspectLeftovers(listed, newestHead, isNewest, keepFrom, report)
    const lacking = gapFindings(await this.#subject.table.gaps(interrupt.stop))
    for (const finding of lacking) report.add(finding)
    const disagreed = [...repeatedActions, ...badTimestamps, ...lacking].filter(
      ({ level }) => level === 'finding',
    ).length
    report.checked('history', commits, commits, disagreed, 'commits read for files of older versions')
    Object.assign(this.#totals, { olderMissing: dec(gone), changeMissing: dec(changeGone), ...left })
  }

  /** Missing files and vectors that are already reported. */
  #missing(): ReadonlySet<string> {
    return new Set([...this.#report.absent, ...this.#absent.map((finding) => finding.absent ?? '')])
  }

  #ending(inside: ContentCounts, checkpoints: CheckpointCounts, listed: number): Ending {
    const { all, wanted } = this.#counts
    const { findings, notes } = this.#report
    const totals = {
      version: dec(this.#subject.version),
      files: dec(all),
      checked: dec(wanted),
      listed: dec(listed),
      vectors: dec(inside.vectors),
      footers: dec(inside.footers),
      rowsRead: dec(inside.rows),
      deep: dec(Number(this.#operation.deep)),
      checkpointsRead: dec(checkpoints.read),
      sidecars: dec(checkpoints.sidecars),
      findings: dec(findings),
      notes: dec(notes),
      ...this.#totals,
    }
    this.seen = this.#proof(inside, checkpoints)
    if (findings === 0) return { totals, proof: this.seen }
    const places = findings === 1 ? 'one place' : `${findings} places`
    return {
      totals,
      proof: 'none',
      error: new SluiceError('DIFFERENCES', `fsck found errors in ${places}`, {
        where: this.#subject.store.label,
        hint: 'follow the advice of each finding; fsck changes nothing',
      }),
    }
  }

  /** Text that says what was checked, and what was not. */
  #proof({ vectors, footers, rows }: ContentCounts, { all, read: checkpoints }: CheckpointCounts): string {
    const { wanted } = this.#counts
    const some = footers < wanted ? ` of ${wanted}` : ''
    const none = this.#operation.deep ? 'no rows read' : 'rows not read'
    const read = rows === 0 ? none : `rows of ${rows}${rows < wanted ? ` of ${wanted}` : ''} files`
    const bases = all === 0 ? '' : `; ${checkpoints} of ${all} checkpoints`
    return `${wanted} files listed, ${footers}${some} footers, ${vectors} vectors; ${read}${bases}`
  }
}
