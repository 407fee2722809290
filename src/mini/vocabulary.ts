/** The closed vocabulary of the miniature world: every word that its texts are made of. */
/*
 * Texts (schemas, rules, questions, SQL, prompts, answers) are these words with single spaces between them. A word plays
 * one part only, so that a small model can tell a term from a column by the word itself; what a term means, it has to
 * read.
 */

/**
 * Sixteen domains of four tables: two that stand alone, one that refers to both, and one that refers to the
 * third. Each table is given with the word its key column begins with.
 */
export const DOMAINS: readonly {
  readonly name: string;
  readonly tables: readonly (readonly [string, string])[];
}[] = (
  [
    ["shop", "customers customer products product orders order payments payment"],
    ["clinic", "patients patient doctors doctor visits visit bills bill"],
    ["library", "members member books book loans loan fines fine"],
    ["airport", "pilots pilot planes plane flights flight tickets ticket"],
    ["school", "students student teachers teacher lessons lesson exams exam"],
    ["hotel", "guests guest rooms room stays stay invoices invoice"],
    ["music", "artists artist studios studio albums album songs song"],
    ["sport", "teams team stadiums stadium matches match goals goal"],
    ["office", "employees employee projects project tasks task reports report"],
    ["kitchen", "chefs chef recipes recipe dishes dish reviews review"],
    ["harbour", "captains captain ships ship voyages voyage cargoes cargo"],
    ["museum", "painters painter museums museum paintings painting photos photo"],
    ["pets", "owners owner pets pet treatments treatment receipts receipt"],
    ["farm", "farmers farmer fields field crops crop harvests harvest"],
    ["post", "senders sender couriers courier parcels parcel claims claim"],
    ["bank", "clients client branches branch accounts account transfers transfer"],
  ] as const
).map(([name, words]) => ({ name, tables: pairs(words.split(" ")) }));

/** Terms for a kind of row: what they mean is hidden. */
export const ADJECTIVES =
  list(`active premium loyal senior late big cheap urgent fresh rare popular local foreign
  risky verified golden silver modern old open closed hot cold heavy light fast slow safe busy quiet strong weak
  major minor public private special basic elite regular seasonal classic junior trusted blocked pending approved
  famous hidden tall short early valid final partial full remote steady bright complex simple`);

/** Columns that hold codes or small numbers without a meaning of their own. */
export const CODES =
  list(`status tier level grade class kind code type stage state score rank points band tag mark
  phase zone series mode rating segment label section shelf wing route channel size shift lane degree quota slot
  unit batch track division pool shade`);

/** Columns of dates, some of which may be NULL. */
export const DATES =
  list(`ended returned shipped checked signed renewed started joined created booked built entered
  issued planned`);
/** Columns of 0 and 1 that exclude rows. */
export const FLAGS = list("deleted archived test void cancelled removed dummy expired frozen ignored");
/** Columns of amounts, which questions sum up. */
export const MEASURES = list(
  "price salary cost fee amount balance weight length duration budget volume income",
);
/** Columns of amounts that are subtracted or added. */
export const DEDUCTIONS = list("discount tax refund rebate bonus tip penalty surcharge");
/** Terms for an amount that no column holds. */
export const DERIVED = list("net gross margin due worth");
/** The term for the year of a date. */
export const YEAR = "year";

/** Columns whose values a question names as they are. */
export const FILTERS: Readonly<Record<string, readonly string[]>> = {
  city: quoted("Paris London Rome Berlin Madrid Vienna Oslo Lima"),
  color: quoted("red blue green black white yellow"),
  country: quoted("France Italy Spain Japan Brazil Kenya India Peru"),
  season: quoted("spring summer autumn winter"),
  day: quoted("monday tuesday friday sunday"),
  material: quoted("wood steel glass cotton paper"),
};

export const LETTERS = quoted([..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].join(" "));
export const YEARS = quoted(Array.from({ length: 10 }, (_, i) => 2015 + i).join(" "));
/** Factors between what is stored and what is meant. */
export const FACTORS = list("10 12 24 60 100 1000");
/** Largest number that a threshold can be. */
export const LARGEST_THRESHOLD = 30;

/** The words around the rules, the problems and the answers. */
const FORM = list("rules none means . asked ? RIGHT WRONG pred gold <prompt> </prompt> <answer> </answer>");
const ENGLISH = list("how many list total average highest lowest of with");
const SQL = list(
  "SELECT COUNT(*) SUM( AVG( MAX( MIN( ( ) FROM JOIN USING WHERE AND IS NOT NULL SUBSTR( ,1,4) ,7,4) /* */ = != >= <= > < / * + -",
);

const keyOfTable = new Map(DOMAINS.flatMap(({ tables }) => tables.map(([name, one]) => [name, `${one}_id`])));

/** The key column of a table. @throws RangeError for an unknown table */
export function keyOf(table: string): string {
  const key = keyOfTable.get(table);
  if (key === undefined) throw new RangeError(`no table of the miniature world is called ${table}`);
  return key;
}

/** All words, each once. Its order numbers the tokens: a word may be added at the end only. */
export const WORDS: readonly string[] = [
  ...new Set([
    ...FORM,
    ...ENGLISH,
    ...SQL,
    ...DOMAINS.flatMap(({ tables }) => tables.map(([name]) => name)),
    ...keyOfTable.values(),
    ...ADJECTIVES,
    ...CODES,
    ...DATES,
    ...FLAGS,
    ...MEASURES,
    ...DEDUCTIONS,
    ...DERIVED,
    YEAR,
    ...Object.entries(FILTERS).flatMap(([column, values]) => [column, ...values]),
    ...LETTERS,
    ...YEARS,
    ...Array.from({ length: LARGEST_THRESHOLD + 1 }, (_, i) => String(i)),
    ...FACTORS,
  ]),
];

/** The words around changes of rules. Models that are trained on such edits know them beside all others. */
export const DELTA_WORDS = list("delta <add> </add> <replace> </replace> <delete> </delete>");

function list(words: string): string[] {
  return words.split(/\s+/);
}

/** SQL's literals: a value is written the same in questions and queries, so that it can be copied. */
function quoted(words: string): string[] {
  return list(words).map((word) => `'${word}'`);
}

function pairs(words: readonly string[]): (readonly [string, string])[] {
  return words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1] as string] as const] : []));
}
