/** Reports objects that no version refers to, and what VACUUM would delete. */
import type { MetadataAction, ProtocolAction } from '../../../delta/actions.ts'
import { MARKS, type ListedFiles } from '../../../delta/fsck/listed-files.ts'
import { leftovers } from '../../../delta/fsck/vacuum.ts'
import { schemaOf } from '../../../delta/schema.ts'
import { dec } from '../../../model/run/event.ts'
import type { FsckReport } from './report.ts'

/**
 * @param newest protocol and metadata of the newest version, by which VACUUM decides
 * @param isNewest true if the inspected version is the newest: then its files are needed
 * @param keepFrom ms since the epoch; VACUUM keeps younger objects
 * @returns totals of the run
 */
export function inspectLeftovers(
  listed: ListedFiles,
  newest: { readonly protocol: ProtocolAction; readonly metadata: MetadataAction },
  isNewest: boolean,
  keepFrom: number,
  report: FsckReport,
): Readonly<Record<string, string>> {
  const partitionColumns = newest.metadata.partitionColumns ?? []
  const physical = schemaOf(newest.protocol, newest.metadata)
    .fields.filter(({ name }) => partitionColumns.includes(name))
    .map((field) => field.physicalName)
  let orphans = 0
  let orphanBytes = 0n
  const { free, expired } = leftovers(
    listed,
    isNewest ? MARKS.active | MARKS.kept : MARKS.kept,
    [...physical, ...partitionColumns],
    keepFrom,
    ({ path, size }, isOld) => {
      orphans++
      orphanBytes += BigInt(size)
      const age = isOld ? 'VACUUM deletes it' : 'it is younger than the retention: a writer may still need it'
      const detail = `no version refers to it; ${age}`
      report.add({ level: 'note', kind: 'orphan', path, bytes: BigInt(size), detail })
    },
  )
  if (free.files > 0) {
    const breaks = expired.files === 0 ? '' : `; older versions need ${expired.files} of them`
    const detail = `VACUUM would delete ${free.files} files${breaks}`
    report.add({ level: 'note', kind: 'vacuum', found: `${free.files}`, bytes: free.bytes, detail })
  }
  return {
    orphans: dec(orphans),
    orphanBytes: dec(orphanBytes),
    vacuumFiles: dec(free.files),
    vacuumBytes: dec(free.bytes),
  }
}
