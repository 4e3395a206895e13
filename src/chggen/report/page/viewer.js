// The 3-D view of a crystal: cell, atoms with the images that complete it, bonds, polyhedra; guests have an orange net.
"use strict";

{
  const { bonds, cartesian, cross, dot, minus, norm, places } = window.chggen;
  const MOST = 4000; // atoms that are drawn
  const ON_FACE = 1e-3; // of an axis, within which an atom lies on a face of the cell and is drawn on all of them

  /** Atoms to draw: those of the supercell and on its faces, then neighbours of metals and more electronegative ones. */
  const drawn = (crystal, elements, times, hidden) => {
    const near = bonds(crystal, elements);
    const frac = places(crystal);
    const atoms = [];
    const index = new Map();
    const add = (k, image, beyond) => {
      const key = `${k} ${image.join(" ")}`;
      if (hidden.has(k) || index.has(key) || atoms.length >= MOST) return;
      index.set(key, atoms.length);
      atoms.push({ k, image, beyond, at: cartesian(crystal, frac[k].map((x, axis) => x + image[axis])) });
    };
    frac.forEach((f, k) => {
      const ends = f.map((x, axis) => (x < ON_FACE ? times[axis] : times[axis] - 1));
      for (let i = 0; i <= ends[0]; i++)
        for (let j = 0; j <= ends[1]; j++) for (let l = 0; l <= ends[2]; l++) add(k, [i, j, l], false);
    });
    const drawsTo = (one, other) =>
      elements[one].metal || elements[other].electronegativity > elements[one].electronegativity;
    for (const { k, image } of atoms.slice())
      for (const { other, image: beyond } of near[k])
        if (drawsTo(crystal.kinds[k], crystal.kinds[other])) add(other, image.map((x, axis) => x + beyond[axis]), true);
    const joined = atoms.map(({ k, image }) =>
      near[k]
        .map((bond) => index.get(`${bond.other} ${image.map((x, axis) => x + bond.image[axis]).join(" ")}`))
        .filter((other) => other !== undefined),
    );
    return { atoms, joined };
  };

  /** The triangles of the convex hull of a few points; each by the numbers of its corners. */
  const hull = (points) => {
    const faces = [];
    const n = points.length;
    for (let i = 0; i < n; i++)
      for (let j = i + 1; j < n; j++)
        for (let k = j + 1; k < n; k++) {
          const normal = cross(minus(points[j], points[i]), minus(points[k], points[i]));
          const sides = points.map((point) => dot(normal, minus(point, points[i])) / (norm(normal) || 1));
          if (sides.every((side) => side < 1e-2)) faces.push([i, j, k]);
          else if (sides.every((side) => side > -1e-2)) faces.push([i, k, j]);
        }
    return faces;
  };

  class Viewer {
    constructor(element, elements) {
      this.element = element;
      this.elements = elements;
      this.view = window.$3Dmol.createViewer(element, { antialias: true });
      this.shown = null;
    }

    /** Shows a crystal. options: times (supercell), host (whether guests are left out), polyhedra. */
    show(crystal, options) {
      const { view, elements } = this;
      const guests = new Set(crystal.guest);
      const { atoms, joined } = drawn(crystal, elements, options.times, options.host ? guests : new Set());
      view.clear();
      view.setBackgroundColor(getComputedStyle(this.element).getPropertyValue("--panel").trim() || "white", 1);
      const model = view.addModel();
      model.addAtoms(
        atoms.map(({ k, at }, number) => ({
          elem: elements[crystal.kinds[k]].symbol,
          x: at[0],
          y: at[1],
          z: at[2],
          bonds: joined[number],
          bondOrder: joined[number].map(() => 1),
          serial: number,
          properties: { kind: crystal.kinds[k] },
        })),
      );
      elements.forEach((element, kind) => {
        view.setStyle(
          { predicate: (atom) => atom.properties.kind === kind },
          {
            sphere: { radius: 0.45 * element.radius, color: element.color },
            stick: { radius: 0.09, color: element.color },
          },
        );
      });
      for (const { k, at, beyond } of atoms)
        if (guests.has(k) && !beyond && guests.size < crystal.kinds.length)
          view.addSphere({
            center: { x: at[0], y: at[1], z: at[2] },
            radius: 0.5 * elements[crystal.kinds[k]].radius,
            color: "#b35900",
            wireframe: true,
            quality: 1,
          });
      this.outline(crystal, options.times);
      if (options.polyhedra) this.polyhedra(crystal, atoms, joined);
      const before = this.shown;
      this.shown = { crystal, times: options.times[0] };
      if (before?.crystal !== crystal || before.times !== options.times[0]) this.fit();
      this.upright ??= view.getView();
      view.render();
      this.element.dataset.atoms = String(atoms.length);
    }

    /** The edges of the cell, or of the supercell. */
    outline(crystal, times) {
      const corner = (i, j, l) => {
        const [x, y, z] = cartesian(crystal, [i * times[0], j * times[1], l * times[2]]);
        return { x, y, z };
      };
      const color = getComputedStyle(this.element).getPropertyValue("--line-strong").trim() || "#555";
      for (const [i, j] of [[0, 0], [0, 1], [1, 0], [1, 1]])
        for (const [start, end] of [
          [corner(0, i, j), corner(1, i, j)],
          [corner(i, 0, j), corner(i, 1, j)],
          [corner(i, j, 0), corner(i, j, 1)],
        ])
          this.view.addCylinder({ start, end, radius: 0.03, color });
    }

    /** The polyhedra around metals with four to twelve neighbours. */
    polyhedra(crystal, atoms, joined) {
      atoms.forEach(({ k, beyond }, number) => {
        const around = joined[number].map((other) => atoms[other].at);
        const element = this.elements[crystal.kinds[k]];
        if (beyond || !element.metal || around.length < 4 || around.length > 12) return;
        for (const face of hull(around)) {
          const [p, q, r] = face.map((corner) => around[corner]);
          const normal = cross(minus(q, p), minus(r, p));
          const length = norm(normal) || 1;
          const vector = ([x, y, z]) => ({ x, y, z });
          const outward = vector(normal.map((x) => x / length));
          this.view.addCustom({
            vertexArr: [p, q, r].map(vector),
            normalArr: [outward, outward, outward],
            faceArr: [0, 1, 2],
            color: element.color,
            opacity: 0.6,
          });
        }
      });
    }

    spin(on) {
      this.view.spin(on ? "y" : false, 0.6);
    }

    zoom(by) {
      this.view.zoom(by, 150);
    }

    /** Fits what is drawn into the view, spheres and all. */
    fit() {
      this.view.zoomTo();
      this.view.zoom(0.9);
    }

    turn(angle, axis) {
      this.view.rotate(angle, axis);
      this.view.render();
    }

    reset() {
      this.view.setView(this.upright);
      this.fit();
      this.view.render();
    }

    resize() {
      this.view.resize();
      this.view.render();
    }
  }

  Object.assign(window.chggen, { Viewer });
}
