/** What the evolver of small changes is shown of a database, with a case that is worked out. */
import type { Brief, Outcome, WorkedCase } from "../task.js";
import { lessonOf, outlineOf, type Solved } from "./lesson.js";
import { type Names, namesOf } from "./names.js";

export const briefOf = (names: Names, question: (id: string) => Solved): Brief => ({
  outline: outlineOf(names),
  lesson: (id, outcome) => lessonOf(question(id), outcome, names),
  worked: WORKED,
});

const CARS = namesOf(`CREATE TABLE car (
  id integer PRIMARY KEY,
  model text,
  paint_id integer REFERENCES paint (id),
  year integer
);
CREATE TABLE paint (
  id integer PRIMARY KEY,
  name text
);`);

const WORKED: WorkedCase = {
  outline: outlineOf(CARS),
  lessons: [
    lessonOf(
      {
        evidence: "",
        question: "Which models are red?",
        sql: "SELECT T1.model FROM car AS T1 INNER JOIN paint AS T2 ON T1.paint_id = T2.id WHERE T2.name = 'red'",
      },
      wrong("SELECT model FROM car WHERE paint = 'red'", "no such column: paint"),
      CARS,
    ),
    lessonOf(
      {
        evidence: "",
        question: "What is the name of the latest model?",
        sql: "SELECT model FROM car ORDER BY year DESC LIMIT 1",
      },
      wrong("SELECT model FROM car ORDER BY id DESC LIMIT 1", "result mismatch"),
      CARS,
    ),
  ],
  added:
    "The colour of a car is in the table paint: join paint ON car.paint_id = paint.id and use paint.name.",
  replaced: {
    before: "The latest model is the one with the highest id.",
    after: '"Latest" means the highest year, not the highest id.',
  },
};

function wrong(answer: string, error: string): Outcome {
  return { score: 0, correct: false, answer, error };
}
