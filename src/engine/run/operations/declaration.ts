/**
 * Declaration of an operation as data: the stores it uses, what it destroys, how it is displayed. Frontends read it and
 * have no list of operations themselves.
 */
import type { AlertCause } from '../../../model/run/alert.ts'
import type { EventType } from '../../../model/run/event.ts'
import type { CommandDeclaration } from './option.ts'
import type { Actions, OperationWords } from './words.ts'

/**
 * How a run is displayed. `long`: on the Run screen, if there is a terminal. `lines`: reports line by line. `listing`:
 * only prints, changes nothing, and may end when its reader closes the pipe. `answer`: prints like a listing, and may
 * change something.
 */
export type RunDisplay = 'long' | 'lines' | 'listing' | 'answer'

/**
 * Meaning of a store's name. `catalog`, `database`: a URL, which may hold a password. `lake`: a path with tables below
 * it. `table`: a path with a `_delta_log` below it, or the id of a table in the catalog. `folder`: where files are
 * written, local or in a bucket.
 */
export type StoreFamily = 'catalog' | 'database' | 'lake' | 'table' | 'folder'

export type FieldOf<O> = Extract<keyof O, string>

export type StoreField<O> = {
  /** Field of the operation that names the store or stores; if absent, no store is used. */
  readonly field: FieldOf<O>
  readonly family: StoreFamily
  /** `write`: a run may change the store; it may read it too. */
  readonly access: 'read' | 'write'
  /** With `access: 'write'`: a run changes the store only if one of these fields is on or set. */
  readonly changesWith?: readonly FieldOf<O>[]
  /** Role of the store in the event `run.started`. */
  readonly end?: 'source' | 'target'
}

/**
 * Data that a run deletes and no other run can restore, or so many rows of a table that the user must confirm its
 * name. Rows that `diff --undo` removes are not destroyed in this sense.
 */
export type Destruction<O> = {
  readonly what: string
  /** Data is destroyed only if this field is on or set; absent: always. */
  readonly when?: FieldOf<O>
  /** Data is not destroyed if one of these fields is on. */
  readonly unless?: readonly FieldOf<O>[]
  /** Field with the name that the user types to confirm the deletion. */
  readonly confirm?: FieldOf<O>
  /**
   * Text after `Type NAME`, with which a terminal asks for the name before the run starts. Absent: the flag is
   * required, or the run asks after counting.
   */
  readonly asked?: string
  /** Where the name is found, for a frontend that shows the dry run and then asks. */
  readonly named?: NamedBy<O>
  /** Set to skip the question if all counts of the dry run are 0; the count of tables is ignored. */
  readonly counted?: true
  /**
   * Text before the right name in the error for a wrong name: `--confirm names WRONG, but the files are of RIGHT`. If
   * set, the name is compared before the run starts. Absent: the run itself compares the names.
   */
  readonly against?: string
  /**
   * Text of the error before the run starts if no name is given and there is no terminal. It says what the operation
   * does to the named table or store. Absent: the run itself refuses to continue.
   */
  readonly refused?: (name: string) => string
}

/**
 * Source of the name to confirm: a field of the operation, or a field of an event of the dry run. `several`: text to
 * type instead if the field of the operation does not have exactly one name. If the dry run emits no such event, and
 * `or` has no name, no data is destroyed.
 */
export type NamedBy<O> =
  | { readonly field: FieldOf<O>; readonly several?: string }
  | {
      readonly event: RunEventType
      readonly field: string
      /** Limits the events to those with these values, or with one of several values. */
      readonly where?: Readonly<Record<string, string | readonly string[]>>
      /** Field of the operation whose name is also accepted, and is asked for if no event has a name. */
      readonly or?: FieldOf<O>
    }

/** Another command that inspects, without changes, the objects that this command would work on. */
export type InspectingCommand = {
  /** Command with its action: `partition plan`. Operands are kept. */
  readonly command: string
  /** Options of this command that the inspecting command gets, too; the config file is always included. */
  readonly keeps: readonly string[]
  /** Words of the command line that are added to the inspecting command. */
  readonly add?: readonly string[]
}

/** Event types that an operation may emit between `run.started` and `run.finished`. */
export type RunEventType = Exclude<EventType, 'run.started' | 'run.finished'>

export type Declaration<O extends { readonly kind: string }, E extends RunEventType = RunEventType> = {
  readonly kind: O['kind']
  /** The command that starts the operation, or the name of a command declared by another operation. */
  readonly command: CommandDeclaration | string
  /**
   * Options from which its fields are parsed; without this and `actions`, `cli/parse/readers.ts` parses the command by
   * hand.
   */
  readonly words?: OperationWords<O>
  /** As `words`, for an operation that is one or more actions of a command: `archive list`. */
  readonly actions?: Actions<O>
  /** Name in `run.started`; absent: the kind of the operation. */
  readonly event?: string
  /** How its runs are displayed. */
  readonly display: RunDisplay
  /** Set if its runs can be paused and resumed. Not set for copies, which handle their steering requests themselves. */
  readonly pauses?: true
  /**
   * Set if the rate of its runs can be changed while they work (`RunControl.rate`): the lowest one, in bytes a second.
   * Not set for copies.
   */
  readonly leastRate?: number
  /** Set if its runs work on several tables at the same time, and the user can change how many. Not set for copies. */
  readonly lanes?: true
  /** Text of the UI while the operation runs: `importing`. Default: its kind. */
  readonly doing?: string
  readonly stores: readonly StoreField<O>[]
  /** Field that names what a run works on; if several fields are listed, the first that is set. */
  readonly about?: FieldOf<O> | readonly FieldOf<O>[]
  /** What the operation destroys; absent: nothing. */
  readonly destroys?: readonly Destruction<O>[]
  /** Field that asks for the plan only: then nothing is changed. */
  readonly plans?: FieldOf<O>
  /**
   * How several machines share a run (`--distributed`); absent: not at all. `chunks`: any number of workers at a time,
   * coordinated by the ledger, unless one of the `unless` fields is on. `parts`: one worker at a time executes the run,
   * or one worker for each name in `field`; the next worker resumes. `stream`: one worker executes the whole stream;
   * other workers copy and compare on its request. True: always. A field: only if this field is on.
   */
  readonly distributes?: {
    readonly by: 'chunks' | 'parts'
    readonly unless?: readonly FieldOf<O>[]
    readonly field?: FieldOf<O>
    readonly stream?: true | FieldOf<O>
    /**
     * Field of a store whose URL a single machine would read from the ledger. URLs in the ledger have no password, so
     * workers need the store's name.
     */
    readonly needs?: 'from' & FieldOf<O>
  }
  /**
   * Causes of its alerts; absent: it has none. `by`: fields that were part of the scope in earlier versions
   * (`alertKeyBefore`); no new ones are added. `how`: fields about how it works, which do not distinguish alerts
   * (`alertKey`).
   */
  readonly alerts?: {
    readonly causes: readonly AlertCause[]
    readonly by?: readonly FieldOf<O>[]
    readonly how?: readonly FieldOf<O>[]
  }
  /** Set if a schedule may run the operation: always, or only if the named field is on. */
  readonly comesAgain?: true | FieldOf<O>
  /** Fields with which a run lasts until it is stopped: a schedule cannot wait for its end. */
  readonly endless?: readonly FieldOf<O>[]
  /**
   * Dry-run events about how the operation works, not about due work: if one changes, the confirmation of a schedule is
   * void.
   */
  readonly marks?: readonly E[]
  /** Command that inspects before this one, if the operation has no field for a plan. */
  readonly inspection?: InspectingCommand
  /** Field with the format of its rows, if it returns rows. */
  readonly rows?: FieldOf<O>
  /** Events that its runs may emit; the compiler allows no others. */
  readonly events: readonly E[]
}
